import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { openLogFile } from './log-file.fs.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'imlma-log-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

const line = (i: number): string => `${String(i).padStart(9, '0')}\n`
const sizeOf = (): number =>
  readdirSync(folder).reduce((sum, name) => sum + statSync(join(folder, name)).size, 0)

describe('the log on disk', () => {
  test('keeps the newest lines within its bytes, in files that follow each other', () => {
    const log = openLogFile({ folder, bytesMax: 400 })
    for (let i = 0; i < 1_000; i += 1) {
      log.write(line(i))
      expect(sizeOf()).toBeLessThanOrEqual(400)
    }
    log.close()
    const names = ['agent.3.log', 'agent.2.log', 'agent.1.log', 'agent.log']
    expect(readdirSync(folder).toSorted()).toEqual(names.toSorted())
    const kept = names.map((name) => readFileSync(join(folder, name), 'utf8')).join('')
    const expected = Array.from({ length: kept.length / 10 }, (_, i) => line(1_000 - kept.length / 10 + i))
    expect(kept).toBe(expected.join(''))
    expect(kept.length).toBeGreaterThan(300)
  })

  test('goes on where it was after a restart', () => {
    for (const i of [1, 2]) {
      const log = openLogFile({ folder, bytesMax: 400 })
      log.write(line(i))
      log.close()
    }
    expect(readFileSync(join(folder, 'agent.log'), 'utf8')).toBe(line(1) + line(2))
  })

  test('cuts a line that is larger than a file', () => {
    const log = openLogFile({ folder, bytesMax: 400 })
    log.write(`${'é'.repeat(1_000)}\n`)
    log.close()
    expect(sizeOf()).toBeLessThanOrEqual(100)
  })

  test('loses its lines where it cannot write, and nothing else; and goes on when it can', () => {
    const blocked = join(folder, 'logs')
    writeFileSync(blocked, 'a file where the folder should be')
    const log = openLogFile({ folder: blocked, bytesMax: 400 })
    log.write(line(1))
    rmSync(blocked)
    log.write(line(2))
    log.close()
    expect(readFileSync(join(blocked, 'agent.log'), 'utf8')).toBe(line(2))
  })
})
