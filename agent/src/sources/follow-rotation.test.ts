import {
  appendFileSync,
  copyFileSync,
  existsSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { fileSchema } from './config-kinds.ts'
import { createFollowSource } from './follow.fs.ts'
import type { FollowedFolder, GrowingFile } from './followed-folder.ts'
import { createFollowedFolder } from './growing-file.fs.ts'
import type { Source } from './source.ts'
import { createTestStore } from './testing/store.sqlite.ts'

const interval = 900_000
const start = Date.UTC(2026, 0, 1)

let store: ReturnType<typeof createTestStore>
let path: string
const running: Source[] = []
beforeEach(() => {
  store = createTestStore()
  path = join(store.folder, 'meters.ndjson')
})
afterEach(async () => {
  for (const source of running.splice(0)) await source.stop()
  store.close()
})

const lines = (from: number, to: number): string =>
  Array.from(
    { length: to - from },
    (_, i) => `${JSON.stringify({ id: 'm', ts: start + (from + i) * interval, p: from + i })}\n`,
  ).join('')

/** A real folder in which `happens` is done once, right after the named call; later calls find what it left. */
const folderWhere = (
  when: 'siblings' | 'active' | 'read' | 'open' | 'status',
  isDue: () => boolean,
  happens: () => void,
): FollowedFolder => {
  const folder = createFollowedFolder(path)
  let isDone = false
  const then = (call: typeof when): void => {
    if (isDone || call !== when || !isDue()) return
    isDone = true
    happens()
  }
  const around = (file: GrowingFile): GrowingFile => ({
    ...file,
    read: async (offset) => {
      const bytes = await file.read(offset)
      then('read')
      return bytes
    },
    status: async () => {
      const status = await file.status()
      then('status')
      return status
    },
  })
  return {
    siblings: async () => {
      const siblings = await folder.siblings()
      then('siblings')
      return siblings
    },
    active: async () => {
      const active = await folder.active()
      then('active')
      return active
    },
    open: async (name) => {
      const file = await folder.open(name)
      then('open')
      return file && around(file)
    },
  }
}

const follow = (folder?: FollowedFolder, options: object = {}): Source => {
  const source = createFollowSource(
    {
      sink: store.outbox,
      onFailure: (failure) => {
        throw failure
      },
      ...(folder && { folder }),
    },
    fileSchema.parse({
      kind: 'file',
      name: 'file',
      path,
      format: 'ndjson',
      meter: 'id',
      at: 'ts',
      pollMs: 10,
      values: [{ field: 'p', register: 'r' }],
      ...options,
    }),
  )
  running.push(source)
  source.start()
  return source
}
const values = (): readonly number[] => store.readings().map(({ value }) => value)
const upTo = (end: number): readonly number[] => Array.from({ length: end }, (_, i) => i)
/** What is there once so many are. */
const valuesOnce = async (count: number): Promise<readonly number[]> => {
  await vi.waitFor(() => expect(values().length).toBeGreaterThanOrEqual(count), 4_000)
  return values()
}
const always = () => true

/** Reads the first 40 lines, and stops. */
const readBefore = async (): Promise<void> => {
  writeFileSync(path, lines(0, 40))
  const source = follow()
  expect(await valuesOnce(40)).toEqual(upTo(40))
  await source.stop()
}

describe('nothing is lost or read twice where', () => {
  test('the file is renamed between the look at the folder and its opening, after a restart', async () => {
    await readBefore()
    appendFileSync(path, lines(40, 42))
    const rotate = (): void => {
      renameSync(path, `${path}.1`)
      writeFileSync(path, lines(42, 44))
    }
    follow(folderWhere('siblings', always, rotate))
    expect(await valuesOnce(44)).toEqual(upTo(44))
  })

  test('the next file is renamed between the look and its opening', async () => {
    writeFileSync(path, lines(0, 2))
    const rotate = (): void => {
      renameSync(`${path}.1`, `${path}.2`)
      renameSync(path, `${path}.1`)
      writeFileSync(path, lines(4, 6))
    }
    follow(folderWhere('siblings', () => existsSync(`${path}.1`), rotate))
    expect(await valuesOnce(2)).toEqual(upTo(2))
    renameSync(path, `${path}.1`)
    writeFileSync(path, lines(2, 4))
    expect(await valuesOnce(6)).toEqual(upTo(6))
  })

  test('it is written after its end was read, and then renamed', async () => {
    writeFileSync(path, lines(0, 2))
    const rotate = (): void => {
      appendFileSync(path, lines(2, 4))
      renameSync(path, `${path}.1`)
      writeFileSync(path, lines(4, 6))
    }
    follow(folderWhere('read', () => values().length === 2, rotate))
    expect(await valuesOnce(6)).toEqual(upTo(6))
  })

  test('who writes has not heard of the rotation yet, and ends a line in the renamed file', async () => {
    writeFileSync(path, lines(0, 2) + lines(2, 3).slice(0, 9))
    let looks = 0
    const folder = folderWhere(
      'active',
      () => ++looks === 20,
      () => {
        appendFileSync(`${path}.1`, lines(2, 3).slice(9) + lines(3, 4))
        appendFileSync(path, lines(4, 6))
      },
    )
    follow(folder)
    expect(await valuesOnce(2)).toEqual(upTo(2))
    renameSync(path, `${path}.1`)
    writeFileSync(path, '')
    expect(await valuesOnce(6)).toEqual(upTo(6))
  })

  test('it is copied and emptied before its last lines were read', async () => {
    writeFileSync(path, lines(0, 40))
    const empty = (): void => {
      appendFileSync(path, lines(40, 42))
      copyFileSync(path, `${path}.1`)
      truncateSync(path)
      appendFileSync(path, lines(42, 44))
    }
    follow(folderWhere('read', () => values().length === 40, empty))
    expect(await valuesOnce(44)).toEqual(upTo(44))
  })

  test('it is emptied and written on between a read and the look at its beginning', async () => {
    writeFileSync(path, lines(0, 40))
    // Longer than what was read: neither size nor place tells.
    const empty = (): void => {
      copyFileSync(path, `${path}.1`)
      writeFileSync(path, lines(40, 90))
    }
    follow(folderWhere('read', always, empty))
    expect(await valuesOnce(90)).toEqual(upTo(90))
  })

  test('it is emptied between a read and its being stored', async () => {
    writeFileSync(path, lines(0, 3))
    follow(
      folderWhere(
        'status',
        () => values().length === 3,
        () => writeFileSync(path, lines(3, 20)),
      ),
    )
    expect(await valuesOnce(20)).toEqual(upTo(20))
  })

  test('it was deleted unread among several rotations, and so were others before it', async () => {
    await readBefore()
    rmSync(path)
    writeFileSync(`${path}.2`, lines(40, 42))
    writeFileSync(`${path}.1`, lines(42, 44))
    writeFileSync(path, lines(44, 46))
    follow()
    expect(await valuesOnce(46)).toEqual(upTo(46))
  })

  test('it is deleted while it is read, after two more were begun', async () => {
    writeFileSync(path, lines(0, 2))
    const folder = folderWhere(
      'read',
      () => values().length === 2,
      () => {
        rmSync(path)
        writeFileSync(`${path}.1`, lines(2, 4))
        writeFileSync(path, lines(4, 6))
      },
    )
    follow(folder)
    expect(await valuesOnce(6)).toEqual(upTo(6))
  })

  test('a new file has the inode number of the one that was deleted', async () => {
    await readBefore()
    const { inode } = (await createFollowedFolder(path).siblings())![0]!
    renameSync(path, `${path}.1`)
    appendFileSync(`${path}.1`, lines(40, 42))
    // Longer than the place: only its beginning is another.
    writeFileSync(path, lines(42, 142))
    const real = createFollowedFolder(path)
    const swapped = new Map<string, string>()
    for (const each of (await real.siblings())!)
      swapped.set(each.inode, each.path === path ? inode : 'copied')
    const source = follow({
      siblings: async () =>
        (await real.siblings())?.map((each) => ({ ...each, inode: swapped.get(each.inode)! })),
      active: async () => {
        const active = await real.active()
        return active && { ...active, inode: swapped.get(active.inode)! }
      },
      open: async (name) => {
        const file = await real.open(name)
        return file && { ...file, inode: swapped.get(file.inode)! }
      },
    })
    expect(await valuesOnce(142)).toEqual(upTo(142))
    expect(source.figures?.().interruptions).toBe(0)
  })

  test('the folder does not come to rest while one looks', async () => {
    await readBefore()
    renameSync(path, `${path}.1`)
    writeFileSync(path, lines(40, 42))
    const real = createFollowedFolder(path)
    let looks = 0
    follow({ ...real, siblings: () => (++looks < 5 ? Promise.resolve(undefined) : real.siblings()) })
    expect(await valuesOnce(42)).toEqual(upTo(42))
    expect(looks).toBeGreaterThanOrEqual(5)
  })

  test('it is renamed before its first reading was stored, and the agent killed', async () => {
    writeFileSync(path, lines(0, 1).trimEnd())
    follow()
    await vi.waitFor(() => expect(store.outbox.position('file')).toBeDefined())
    // Another source with the same outbox finds what a kill leaves.
    renameSync(path, `${path}.1`)
    appendFileSync(`${path}.1`, `\n${lines(1, 3)}`)
    for (const source of running.splice(0)) await source.stop()
    writeFileSync(path, lines(3, 5))
    follow()
    expect(await valuesOnce(5)).toEqual(upTo(5))
  })

  test('it comes after a source that begins at the end', async () => {
    const source = follow(undefined, { from: 'end' })
    await vi.waitFor(() => expect(source.figures?.().interruptions).toBe(1))
    writeFileSync(`${path}.tmp`, lines(0, 2))
    renameSync(`${path}.tmp`, path)
    expect(await valuesOnce(2)).toEqual(upTo(2))
  })
})
