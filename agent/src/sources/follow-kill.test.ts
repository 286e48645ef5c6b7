import { fork } from 'node:child_process'
import { once } from 'node:events'
import { appendFileSync, mkdtempSync, renameSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { createFollowSource } from './follow.fs.ts'
import { fileSchema } from './config-kinds.ts'
import { hashAt, uniformAt } from './noise.ts'
import { openStore, readingsIn } from './testing/store.sqlite.ts'

const start = Date.UTC(2026, 0, 1)
const sampleMs = 10_000
const kills = 8

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'imlma-follow-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

test(`over ${kills} kills and rotations no line of a file is read twice, and none is lost`, async () => {
  const seed = Number(process.env['IMLMA_SEED'] ?? hashAt(Date.now(), 2) % 100_000)
  const [database, path] = [join(folder, 'readings.db'), join(folder, 'meters.ndjson')]
  let written = 0
  const write = (count: number): void => {
    const text = Array.from({ length: count }, (_, i) => {
      const number = written + i
      return `${JSON.stringify({ m: 'm', t: start + number * sampleMs, v: number })}\n`
    }).join('')
    written += count
    appendFileSync(path, text)
  }
  for (let kill = 0; kill < kills; kill++) {
    write(200)
    const child = fork(join(import.meta.dirname, 'follow-kill.child.ts'), [database, path])
    await once(child, 'message')
    // Before its first reading a source has no place: it begins with the file that bears the name.
    if (kill === 0) await once(child, 'message')
    const writing = Math.floor(uniformAt(seed, kill) * 20)
    for (let i = 0; i < writing; i++) {
      write(37)
      if (i % 8 === 3) renameSync(path, `${path}.${9_999 - (written % 9_000)}`)
      await setTimeout(uniformAt(seed + i, kill) * 12)
    }
    child.kill('SIGKILL')
    await once(child, 'exit')
  }
  write(600)

  const store = openStore(database)
  const options = { kind: 'file', name: 'file', path, format: 'ndjson', meter: 'm', at: 't', pollMs: 10 }
  const sampled = { field: 'v', intervalMs: 60_000, sampleEveryMs: 10_000, graceMs: 5_000 }
  const source = createFollowSource(
    { sink: store.outbox, onFailure: (failure) => expect.fail(String(failure)) },
    fileSchema.parse({
      ...options,
      values: [
        { ...sampled, register: 'mean', aggregate: 'mean' },
        { ...sampled, register: 'counted', aggregate: 'difference' },
        { field: 'v', register: 'whole', intervalMs: 10_000 },
      ],
    }),
  )
  source.start()
  try {
    const of = (register: string) => readingsIn(store.outbox).filter((each) => each.register === register)
    const whole = Math.floor((written - 2) / 6)
    // Counted by the store: to read all of it at every look would hold up what is waited for.
    await vi.waitFor(
      () =>
        expect(store.outbox.backlog().readings, `seed ${seed}`).toBeGreaterThanOrEqual(written + 2 * whole),
      20_000,
    )
    expect(of('whole').map(({ value }) => value)).toEqual(Array.from({ length: written }, (_, i) => i))
    const numbers = Array.from({ length: whole }, (_, i) => i)
    const place = ({ at }: { readonly at: number }): number => (at - start) / 60_000
    expect(of('mean').slice(0, whole).map(place), `seed ${seed}`).toEqual(numbers)
    expect(
      of('mean')
        .slice(0, whole)
        .map(({ value, quality }) => [value, quality]),
    ).toEqual(numbers.map((i) => [6 * i + 2.5, 0]))
    expect(of('counted').slice(0, whole).map(place)).toEqual(numbers)
    for (const { value } of of('counted').slice(0, whole)) expect(value).toBeCloseTo(6)
  } finally {
    await source.stop()
    store.close()
  }
}, 60_000)
