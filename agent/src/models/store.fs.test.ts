import { readdir, readFile, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { sha256 } from '@imlma/protocol/node'
import { sealEnvelope } from '@imlma/protocol/trust'
import type { ModelStore } from './store.ts'
import { openStore, type StoreOptions } from './store.fs.ts'
import { flipByte, newFolder, removeFolder } from './testing/gateway.fs.ts'

const artifact = (n: number): Uint8Array => new Uint8Array(100).fill(n)
const digest = (n: number): string => sha256(artifact(n))
const envelope = sealEnvelope('a/b', {}, [{ keyid: 'k', sign: () => Uint8Array.of(1) }])

let folder: string
beforeEach(async () => {
  folder = await newFolder()
})
afterEach(() => removeFolder(folder))

const open = (options: Partial<StoreOptions> = {}): Promise<ModelStore> => openStore({ folder, ...options })
const append = async (store: ModelStore, n: number, bytes: Uint8Array): Promise<void> => {
  const file = await store.openPartial(digest(n), 100)
  if (!file.ok) throw new Error(file.refusal.code)
  await file.value.append(bytes)
  await file.value.close()
}
const put = async (store: ModelStore, n: number): Promise<void> => {
  await store.saveManifest(digest(n), envelope)
  await append(store, n, artifact(n))
  await store.admit(digest(n))
  await utimes(join(folder, `${digest(n)}.onnx`), n, n)
}
const names = async (): Promise<readonly string[]> => (await readdir(folder)).toSorted()

describe('the model store', () => {
  test('a partial file is gone on with after a restart and gets its name when it is whole', async () => {
    await append(await open(), 1, artifact(1).subarray(0, 60))
    const store = await open()
    expect(await store.has(digest(1))).toBe(false)
    const file = await store.openPartial(digest(1), 100)
    expect(file.ok && file.value.bytes()).toBe(60)
    if (file.ok) await file.value.close()
    await append(store, 1, artifact(1).subarray(60))
    expect(await store.admit(digest(1))).toMatchObject({ ok: true })
    expect(await store.verify(digest(1))).toMatchObject({ ok: true })
  })

  test('what is not itself gets no name and does not stay', async () => {
    const store = await open()
    await append(store, 1, artifact(2))
    expect(await store.admit(digest(1))).toMatchObject({ ok: false, refusal: { code: 'BAD_DIGEST' } })
    expect(await names()).toEqual([])
  })

  test('one byte on disk is DIGEST_MISMATCH, nothing there NOT_ON_DISK', async () => {
    const store = await open()
    await put(store, 1)
    await flipByte(join(folder, `${digest(1)}.onnx`))
    expect(await store.verify(digest(1))).toMatchObject({ refusal: { code: 'DIGEST_MISMATCH' } })
    expect(await store.admit(digest(1))).toMatchObject({ refusal: { code: 'DIGEST_MISMATCH' } })
    expect(await store.verify(digest(2))).toMatchObject({ refusal: { code: 'NOT_ON_DISK' } })
  })

  test('what fits neither the quota nor the disk is refused before anything is fetched', async () => {
    const small = await open({ artifactBytesMax: 99 })
    expect(await small.openPartial(digest(1), 100)).toMatchObject({ refusal: { code: 'TOO_LARGE' } })
    const full = await open({ reserveBytes: Number.MAX_SAFE_INTEGER })
    expect(await full.openPartial(digest(1), 100)).toMatchObject({ refusal: { code: 'NO_SPACE' } })
  })

  test('the quota counts every file; room is made of what is not needed, never of what is', async () => {
    const store = await open({ bytesMax: 100 * 3 + 3 * JSON.stringify(envelope).length })
    for (const n of [1, 2, 3]) await put(store, n)
    expect(await store.openPartial(digest(4), 100)).toMatchObject({ refusal: { code: 'NO_SPACE' } })
    await store.prune([digest(1), digest(2)], 'none')
    expect(await store.digests()).toHaveLength(2)
    const file = await store.openPartial(digest(4), 100)
    expect(file.ok).toBe(true)
    if (file.ok) await file.value.close()
    await store.prune([digest(1), digest(2), digest(4)], 'none')
    expect(await store.openPartial(digest(5), 900)).toMatchObject({ refusal: { code: 'NO_SPACE' } })
    expect(await store.verify(digest(1))).toMatchObject({ ok: true })
  })

  test('a damaged file is set aside, one at a time', async () => {
    const store = await open()
    await put(store, 1)
    await put(store, 2)
    await store.setAside(digest(1), 'artifact')
    await store.setAside(digest(2), 'artifact')
    expect((await names()).filter((name) => name.endsWith('.damaged'))).toEqual([`${digest(2)}.damaged`])
    expect(await store.digests()).toHaveLength(2)
    await store.setAside(digest(2), 'manifest')
    expect(await store.manifest(digest(2))).toBeUndefined()
  })

  test('a quarantined digest leaves nothing but its mark', async () => {
    const store = await open()
    await put(store, 1)
    await store.quarantine(digest(1))
    expect(await names()).toEqual([`${digest(1)}.quarantined`])
    expect(await (await open()).quarantined()).toEqual([digest(1)])
  })

  test('a manifest that is no envelope is none', async () => {
    const store = await open()
    await put(store, 1)
    expect(await store.manifest(digest(1))).toEqual(envelope)
    await writeFile(join(folder, `${digest(1)}.manifest.json`), '{}')
    expect(await store.manifest(digest(1))).toBeUndefined()
  })

  test('prune keeps what is needed and a bounded number of the latest others', async () => {
    const store = await open({ othersMax: 2 })
    for (const n of [1, 2, 3, 4, 5]) await put(store, n)
    await append(store, 6, artifact(6))
    await store.saveManifest(digest(7), envelope)
    await store.prune([digest(1)])
    const left = [1, 4, 5].flatMap((n) => [`${digest(n)}.manifest.json`, `${digest(n)}.onnx`])
    expect(await names()).toEqual(left.toSorted())
  })

  test('prune bounds the bytes of the others, and never touches what is needed', async () => {
    const store = await open({ otherBytesMax: 150 })
    for (const n of [1, 2, 3]) await put(store, n)
    await store.prune([digest(1), digest(2)])
    expect(await store.digests()).toHaveLength(3)
    await store.prune([digest(1)])
    expect([await store.has(digest(1)), await store.has(digest(2)), await store.has(digest(3))]).toEqual([
      true,
      false,
      true,
    ])
    expect(await readFile(join(folder, `${digest(1)}.onnx`))).toHaveLength(100)
  })
})
