import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { sha256 } from '@imlma/protocol/node'
import { createArtifactStore } from './artifacts.fs.ts'

const content = new TextEncoder().encode('a model of some bytes')
const digest = sha256(content)

describe('the artifact store', () => {
  let folder: string
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'imlma-artifacts-'))
  })
  afterEach(() => rm(folder, { recursive: true, force: true }))

  test('names content by its hash and gives it back verified', async () => {
    const store = await createArtifactStore(folder)
    expect(await store.put(content)).toEqual({ sha256: digest, bytes: content.byteLength })
    expect(new Uint8Array(await store.get(digest))).toEqual(content)
    expect(await store.path(digest)).toBe(join(folder, digest.slice(0, 2), digest))
  })

  test('adopts a finished file by moving it and makes it read-only', async () => {
    const store = await createArtifactStore(folder)
    const source = join(folder, 'trained.onnx')
    await writeFile(source, content)
    expect((await store.adopt(source)).sha256).toBe(digest)
    await expect(stat(source)).rejects.toThrow('ENOENT')
    expect((await stat(join(folder, digest.slice(0, 2), digest))).mode & 0o777).toBe(0o444)
  })

  test('refuses to hand out content with one changed byte', async () => {
    const store = await createArtifactStore(folder)
    await store.put(content)
    const path = join(folder, digest.slice(0, 2), digest)
    await chmod(path, 0o644)
    const changed = await readFile(path)
    changed[3]! ^= 1
    await writeFile(path, changed)
    await expect(store.get(digest)).rejects.toMatchObject({ code: 'ARTIFACT_CHANGED' })
  })

  test('putting the right content again repairs a changed file', async () => {
    const store = await createArtifactStore(folder)
    await mkdir(join(folder, digest.slice(0, 2)))
    await writeFile(join(folder, digest.slice(0, 2), digest), 'something else')
    await store.put(content)
    expect(new Uint8Array(await store.get(digest))).toEqual(content)
  })

  test('says what is missing, also when the name is a path', async () => {
    // Taken as a name, `../secret` would lead out of this store to the file beside it.
    const store = await createArtifactStore(join(folder, 'artifacts', 'store'))
    await writeFile(join(folder, 'secret'), 'x')
    await expect(store.get(digest)).rejects.toMatchObject({ code: 'ARTIFACT_MISSING' })
    await expect(store.get('../secret')).rejects.toMatchObject({ code: 'ARTIFACT_MISSING' })
    expect(await store.path('../secret')).toBeUndefined()
    expect(await store.range('../secret', 0, 1)).toBeUndefined()
    expect(await store.range(digest, 0, 10)).toBeUndefined()
  })

  test('reads ranges, also at and beyond the end', async () => {
    const store = await createArtifactStore(folder)
    await store.put(content)
    const total = content.byteLength
    expect(await store.range(digest, 2, 5)).toEqual({ bytes: content.subarray(2, 7), total })
    expect(await store.range(digest, total - 3, 100)).toEqual({ bytes: content.subarray(total - 3), total })
    expect(await store.range(digest, total + 5, 100)).toEqual({ bytes: new Uint8Array(0), total })
  })

  test('a failed store leaves nothing behind, and leftovers of a crash go at the next start', async () => {
    const store = await createArtifactStore(folder)
    await expect(store.adopt(join(folder, 'nowhere'))).rejects.toMatchObject({ code: 'STORE_FAILED' })
    expect(await readdir(join(folder, 'incoming'))).toEqual([])
    await writeFile(join(folder, 'incoming', 'half'), 'half a mod')
    await createArtifactStore(folder)
    expect(await readdir(join(folder, 'incoming'))).toEqual([])
  })
})
