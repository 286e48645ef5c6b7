import { chmod, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createArtifactStore } from './artifacts.fs.ts'
import type { ArtifactStore } from './artifacts.ts'
import { scrubArtifacts, type ChangedArtifact } from './scrub.fs.ts'

let folder = ''
let store: ArtifactStore
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'imlma-scrub-'))
  store = await createArtifactStore(folder)
})
afterEach(() => rm(folder, { recursive: true, force: true }))

const scrub = async (signal = new AbortController().signal) => {
  const changed: ChangedArtifact[] = []
  const scrubbed = await scrubArtifacts(
    { folder, signal, bytesPerS: 1e12 },
    async (each) => void changed.push(each),
  )
  return { changed, scrubbed }
}
/** Changes one bit behind the store's back. */
const damage = async (sha256: string, position: number): Promise<void> => {
  const path = (await store.path(sha256)) as string
  const bytes = await readFile(path)
  bytes[position]! ^= 1
  await chmod(path, 0o644)
  await writeFile(path, bytes)
}

test('files that are what their names say stay where they are', async () => {
  const { sha256 } = await store.put(new Uint8Array(3_000_000).fill(7))
  await store.put(Uint8Array.of(1))
  expect(await scrub()).toEqual({ changed: [], scrubbed: { files: 2, bytes: 3_000_001 } })
  expect(await store.path(sha256)).toBeDefined()
})

test.each([0, 1_048_575, 1_048_576, 2_999_999])(
  'one bit at byte %i is found and moved aside',
  async (position) => {
    const content = new Uint8Array(3_000_000).fill(7)
    const { sha256 } = await store.put(content)
    const other = await store.put(Uint8Array.of(2))
    await damage(sha256, position)
    const { changed } = await scrub()
    expect(changed).toMatchObject([{ sha256, bytes: 3_000_000 }])
    expect(changed[0]?.actual).not.toBe(sha256)
    expect((await stat(changed[0]?.path as string)).size).toBe(3_000_000)
    await expect(store.get(sha256)).rejects.toMatchObject({ code: 'ARTIFACT_MISSING' })
    expect(await store.get(other.sha256)).toEqual(Buffer.from([2]))
    expect((await scrub()).changed).toEqual([])
    // Made or brought again, it is there again.
    await store.put(content)
    expect((await store.get(sha256)).byteLength).toBe(3_000_000)
  },
)

test('ends when it is told to', async () => {
  await store.put(Uint8Array.of(1))
  expect((await scrub(AbortSignal.abort())).scrubbed.files).toBe(0)
})
