import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { sha256, sha256File } from './hash.crypto.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'imlma-hash-'))
})
afterAll(() => rm(folder, { recursive: true }))

test.each([0, 1, 524_287, 524_288, 524_289, 1_048_576, 3_000_001])(
  'a file of %i bytes has the hash of its bytes',
  async (length) => {
    const content = Uint8Array.from({ length }, (_, index) => (index * 31) >> 3)
    const path = join(folder, 'file')
    await writeFile(path, content)
    expect(await sha256File(path)).toEqual({ sha256: sha256(content), bytes: length })
  },
)

test('a file that is not there, and a folder, are the callers’ to judge', async () => {
  await expect(sha256File(join(folder, 'nothing'))).rejects.toMatchObject({ code: 'ENOENT' })
  await expect(sha256File(folder)).rejects.toMatchObject({ code: 'EISDIR' })
})
