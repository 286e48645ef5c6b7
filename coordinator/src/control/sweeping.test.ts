import { mkdtemp, rm, utimes } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test, vi } from 'vitest'
import { createArtifactStore } from '../storage/artifacts.fs.ts'
import { openDatabase } from '../storage/database.sqlite.ts'
import { createStateStore } from '../storage/states.kysely.ts'
import { keepSwept } from './sweeping.timer.ts'

test('a start removes what nobody has named for a month, and says so', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'imlma-sweeping-'))
  const store = await createArtifactStore(folder)
  const now = Date.UTC(2026, 5, 1)
  const putDaysAgo = async (text: string, days: number): Promise<string> => {
    const { sha256 } = await store.put(new TextEncoder().encode(text))
    const at = now / 1_000 - days * 86_400
    await utimes((await store.path(sha256)) as string, at, at)
    return sha256
  }
  const [refused, waiting, recent] = [
    await putDaysAgo('refused', 31),
    await putDaysAgo('waits', 31),
    await putDaysAgo('recent', 29),
  ]
  const db = openDatabase(':memory:')
  await createStateStore(db).save('registrations', 'load', [{ artifactSha256: waiting }], now)
  const said: unknown[] = []
  const end = keepSwept(
    {
      db,
      log: { info: (what: unknown) => void said.push(what) },
      now: () => now,
      onFailure: (error) => said.push(error),
    },
    { folder },
  )
  await vi.waitFor(() => expect(said).toEqual([{ files: 1, bytes: 7 }]), { interval: 5 })
  await end()
  const left = await Promise.all([refused, waiting, recent].map((sha256) => store.path(sha256)))
  expect(left.map((path) => path !== undefined)).toEqual([false, true, true])
  await db.destroy()
  await rm(folder, { recursive: true, force: true })
})
