import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { RegistryEvent } from '../registry/events.ts'
import { createArtifactStore } from '../storage/artifacts.fs.ts'
import { keepScrubbed } from './scrubbing.timer.ts'

test('a file that somebody changed becomes one alert with what a person needs', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'imlma-scrubbing-'))
  const store = await createArtifactStore(folder)
  const { sha256 } = await store.put(Uint8Array.of(1, 2, 3))
  const path = (await store.path(sha256)) as string
  await chmod(path, 0o644)
  await writeFile(path, 'other')
  const events: RegistryEvent[] = []
  const append = async (more: readonly RegistryEvent[]) => {
    events.push(...more)
    return []
  }
  const onFailure = (cause: unknown): void => {
    throw cause
  }
  const end = keepScrubbed(
    { registry: { append }, now: () => 1, onFailure },
    { folder, delayMs: 1, everyMs: 1 },
  )
  await expect.poll(() => events.length).toBe(1)
  await end()
  expect(events).toMatchObject([
    {
      kind: 'alert-raised',
      alert: 'ARTIFACT_CHANGED',
      level: 'act',
      evidence: { sha256, hint: expect.any(String) },
    },
  ])
  await rm(folder, { recursive: true, force: true })
})
