import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { lockFolder } from './lock.sqlite.ts'

const folder = mkdtempSync(join(tmpdir(), 'imlma-lock-'))
afterAll(() => rmSync(folder, { recursive: true }))

test('two agents never share a data directory, and one after the other may', () => {
  const release = lockFolder(join(folder, 'gw-1'))
  expect(() => lockFolder(join(folder, 'gw-1'))).toThrow(expect.objectContaining({ code: 'DATA_DIR_IN_USE' }))
  lockFolder(join(folder, 'gw-2'))()
  release()
  lockFolder(join(folder, 'gw-1'))()
})

test('a data directory that is a file is refused', () => {
  writeFileSync(join(folder, 'file'), '')
  expect(() => lockFolder(join(folder, 'file'))).toThrow(expect.objectContaining({ code: 'DATA_DIR_FAILED' }))
})
