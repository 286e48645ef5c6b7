import { mkdtemp, rm, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createHeadFile } from '../registry/head.fs.ts'
import { openRegistry } from '../registry/registry.kysely.ts'
import { dataset, decidedRun } from '../registry/testing/facts.ts'
import { createArtifactStore } from './artifacts.fs.ts'
import type { ArtifactStore } from './artifacts.ts'
import { openDatabase } from './database.sqlite.ts'
import { readReferences } from './references.kysely.ts'
import { createStateStore } from './states.kysely.ts'
import { sweepArtifacts } from './sweep.fs.ts'

const before = Date.UTC(2026, 0, 1)

describe('a sweep of the artifact store', () => {
  let folder: string
  let store: ArtifactStore
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'imlma-sweep-'))
    store = await createArtifactStore(folder)
  })
  afterEach(() => rm(folder, { recursive: true, force: true }))

  const put = async (text: string, storedAt: number): Promise<string> => {
    const { sha256 } = await store.put(new TextEncoder().encode(text))
    await utimes((await store.path(sha256)) as string, storedAt / 1_000, storedAt / 1_000)
    return sha256
  }
  const sweep = (...named: string[]) =>
    sweepArtifacts({ folder, before, references: async () => new Set(['f'.repeat(64), ...named]) })
  const isThere = async (sha256: string) => (await store.path(sha256)) !== undefined

  test('removes what is old and nobody speaks of, and nothing else', async () => {
    const [orphan, named] = [await put('an orphan', before - 1), await put('a champion', before - 1)]
    const young = await put('to be named in a moment', before)
    await writeFile(join(folder, orphan.slice(0, 2), 'a note'), 'of somebody')
    expect(await sweep(named)).toEqual({ files: 1, bytes: 9 })
    expect(await Promise.all([orphan, named, young].map(isThere))).toEqual([false, true, true])
    expect(await sweep(named)).toEqual({ files: 0, bytes: 0 })
  })

  test('leaves what was stored once more: it is wanted again', async () => {
    const again = await put('sent twice', before - 1)
    await store.put(new TextEncoder().encode('sent twice'))
    expect(await sweep()).toEqual({ files: 0, bytes: 0 })
    expect(await isThere(again)).toBe(true)
  })

  test('leaves what was stored once more while the references were read', async () => {
    const again = await put('sent twice', before - 1)
    const references = async () => {
      await store.put(new TextEncoder().encode('sent twice'))
      return new Set(['f'.repeat(64)])
    }
    expect(await sweepArtifacts({ folder, before, references })).toEqual({ files: 0, bytes: 0 })
    expect(await isThere(again)).toBe(true)
  })

  test('removes nothing where the registry knows of nothing: it may be the registry that is lost', async () => {
    const orphan = await put('all that is left', before - 1)
    expect(await sweepArtifacts({ folder, before, references: async () => new Set() })).toMatchObject({
      files: 0,
    })
    expect(await isThere(orphan)).toBe(true)
  })

  test('knows every artifact that an event or a state names', async () => {
    const db = openDatabase(join(folder, 'registry.db'))
    const registry = await openRegistry({ db, head: createHeadFile(join(folder, 'head.json')) })
    await registry.append(decidedRun('load', 1), 1)
    const [study, waiting] = ['7'.repeat(64), '9'.repeat(64)]
    const trained = decidedRun('load', 2).map((event) =>
      event.kind === 'version-trained' ? { ...event, study } : event,
    )
    await registry.append(trained, 2)
    await createStateStore(db).save('registrations', 'load', [{ artifactSha256: waiting }], 1)
    const named = await readReferences(db)
    expect([...named].toSorted()).toEqual(
      [dataset.sha256, 'a'.repeat(64), 'c'.repeat(64), study, waiting].toSorted(),
    )
    await registry.close()
  })
})
