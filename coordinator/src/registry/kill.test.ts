import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { openDatabase } from '../storage/database.sqlite.ts'
import { createHeadFile, type HeadFile } from './head.fs.ts'
import { openRegistry } from './registry.kysely.ts'
import { decidedRun } from './testing/facts.ts'

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

test.each([
  ['before the commit', 0, 4],
  ['between the commit and the head file', 1, 8],
])('a power cut %s leaves a whole chain that goes on', async (_, writesLeft, events) => {
  const folder = await mkdtemp(join(tmpdir(), 'imlma-cut-'))
  const path = join(folder, 'registry.head.json')
  const open = (head: HeadFile) => openRegistry({ db: openDatabase(join(folder, 'registry.db')), head })
  try {
    const first = await open(createHeadFile(path))
    await first.append(decidedRun('load', 1), 1)
    await first.close()
    // The disk takes so many more writes of the head file, and then nothing.
    const file = createHeadFile(path)
    let left = writesLeft
    const cut = await open({
      read: file.read,
      write: (head) => (left-- > 0 ? file.write(head) : Promise.reject(new Error('power cut'))),
    })
    await cut.append(decidedRun('load', 2), 2).catch(() => undefined)
    await cut.close()
    const again = await open(createHeadFile(path))
    expect(await again.verify()).toMatchObject({ ok: true, value: { events } })
    await again.append(decidedRun('load', 3), 3)
    expect(await again.verify()).toMatchObject({ ok: true, value: { events: events + 4 } })
    await again.close()
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
})
