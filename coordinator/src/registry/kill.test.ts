import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { openDatabase } from '../storage/database.sqlite.ts'
import { createHeadFile } from './head.fs.ts'
import { openRegistry } from './registry.kysely.ts'

const child = join(import.meta.dirname, 'testing', 'appender.child.ts')
const kills = 8

/** Kills the process after it has written so many appends, wherever it is then; the last sequence it said to be on disk. */
const runAndKill = async (folder: string, appends: number): Promise<number> => {
  const appender = fork(child, [folder], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
  let promised = 0
  let heard = 0
  appender.on('message', (seq) => {
    promised = Number(seq)
    heard += 1
    if (heard === appends) appender.kill('SIGKILL')
  })
  await once(appender, 'exit')
  expect(appender.signalCode).toBe('SIGKILL')
  return promised
}

test('a registry that is killed while it writes keeps what it promised and stays whole', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'imlma-kill-'))
  try {
    for (let kill = 1; kill <= kills; kill += 1) {
      const promised = await runAndKill(folder, kill)
      const registry = await openRegistry({
        db: openDatabase(join(folder, 'registry.db')),
        head: createHeadFile(join(folder, 'registry.head.json')),
      })
      const verified = await registry.verify()
      expect(verified).toMatchObject({ ok: true })
      const events = verified.ok ? verified.value.events : 0
      expect(events).toBeGreaterThanOrEqual(promised)
      // Four events an append: none is there in part.
      expect(events % 4).toBe(0)
      await registry.close()
    }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
})
