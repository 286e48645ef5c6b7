/**
 * A file of CSV or NDJSON, read once or followed while it grows, over rotation (renamed, a new one begun) and truncation
 * (emptied and written again). Its place is stored in the transaction of the readings, so that after a kill nothing is
 * read twice and nothing is left out. What is polled needs no watcher, and works on every file system.
 */

import { setTimeout as wait } from 'node:timers/promises'
import { createCollector, type CollectorParts } from './intake/collector.timer.ts'
import type { DocumentMapping } from './intake/document.ts'
import { findPlace, inOrder, parsePlace, type FilePlace, type Sibling } from './follow-plan.ts'
import { inodeOf, openGrowing, siblingsOf, type GrowingFile } from './growing-file.fs.ts'
import { createLineReader, type LineFormat } from './line-reader.ts'
import { createLines, type Line } from './lines.ts'
import type { ReadingSink, Source, SourceState } from './source.ts'

export interface FollowParts extends CollectorParts {
  readonly sink: Pick<ReadingSink, 'append' | 'position' | 'backlog'>
}

export interface FollowOptions extends LineFormat, DocumentMapping {
  readonly name: string
  readonly path: string
  /** Goes on reading at the end of the file; otherwise the source ends there. */
  readonly follow: boolean
  /** Where the first start begins. */
  readonly from: 'start' | 'end'
  /** Milliseconds between two looks at the end of a file. */
  readonly pollMs: number
}

/** A file that is read once can wait while so much waits for the control centre. */
const backlogBatchesMax = 64

const retryMs = 1_000

export const createFollowSource = (parts: FollowParts, options: FollowOptions): Source => {
  const { sink, onFailure } = parts
  const { name, path, follow, pollMs } = options
  const collector = createCollector(parts, options)
  const reader = createLineReader(collector, options, options)
  const now = parts.clock?.now ?? Date.now
  let state: SourceState = 'stopped'
  /** What is the matter with the file, said once. */
  let told: string | undefined
  let stopping = new AbortController()
  let running: Promise<void> | undefined

  const begin = async (): Promise<{ file: GrowingFile; offset: number } | undefined> => {
    const place = parsePlace(collector.place())
    if (place !== undefined) {
      const found = await findPlace(inOrder(await siblingsOf(path), path), place, isHead)
      if (found !== undefined) {
        const file = await openSame(found)
        return file === undefined ? begin() : { file, offset: place.offset }
      }
    }
    const file = await openGrowing(path)
    if (file === undefined) return undefined
    if (place !== undefined) {
      collector.interrupted('the file that was read is gone, or was written anew: reading begins again', path)
    }
    return { file, offset: place === undefined && options.from === 'end' ? await file.size() : 0 }
  }

  const tell = (message: string): void => {
    if (told !== message) collector.interrupted(message, path)
    told = message
  }

  /** Stored, or not yet: then the file waits with us. */
  const store = async (signal: AbortSignal, isCheckpoint = false): Promise<void> => {
    while (!collector.flush({ isCheckpoint })) {
      state = 'held back'
      await wait(retryMs, undefined, { signal })
    }
  }

  const untilRoom = async (signal: AbortSignal): Promise<void> => {
    while (sink.backlog().batches >= backlogBatchesMax) {
      state = 'held back'
      await wait(pollMs, undefined, { signal })
    }
  }

  /** Reads until another file has taken the name, or to the end where nobody follows. */
  const readOut = async (file: GrowingFile, from: number, signal: AbortSignal): Promise<void> => {
    let offset = from
    let readTo = from
    let lines = createLines()
    let known: FilePlace['head'] | undefined
    const take = (line: Line): void => {
      offset += line.bytes
      if (reader.wantsHeader()) reader.begin(line.text)
      else reader.read(line, now())
    }
    reader.begin(from > 0 ? await file.firstLine() : undefined)

    for (;;) {
      signal.throwIfAborted()
      if (!follow) await untilRoom(signal)
      state = follow ? 'live' : 'history'
      const bytes = await file.read(readTo)
      // Emptied and written on beyond our place: only the beginning tells.
      const isOther = known !== undefined && !(await file.isHead(known))
      const change = isOther ? 'emptied' : bytes.length > 0 ? 'grown' : await atEnd(file, readTo)
      if (change === 'emptied') {
        collector.interrupted('the file was emptied: it is read from its start', path)
        offset = 0
        readTo = 0
        known = undefined
        lines = createLines()
        reader.begin(undefined)
        continue
      }
      readTo += bytes.length
      const head = await file.head(readTo)
      known = head
      const moveTo = (): void => collector.moveTo({ inode: file.inode, head, offset } satisfies FilePlace)
      if (change === 'grown') {
        for (const line of lines.push(bytes)) take(line)
        moveTo()
        await store(signal)
      } else if (change === 'none') {
        await wait(pollMs, undefined, { signal })
      } else if ((await file.size()) <= readTo) {
        // Nobody goes on writing what has another name now: what it ends with is a line.
        const rest = lines.rest()
        if (rest !== undefined) take(rest)
        moveTo()
        await store(signal, true)
        return
      }
    }
  }

  /** What has become of a file that is read to its end. */
  const atEnd = async (file: GrowingFile, readTo: number): Promise<'none' | 'emptied' | 'over'> => {
    if (!follow) return 'over'
    const active = await inodeOf(path)
    if (active !== undefined && active !== file.inode) return 'over'
    return (await file.size()) < readTo ? 'emptied' : 'none'
  }

  const readAll = async (signal: AbortSignal): Promise<void> => {
    for (;;) {
      const begun = await begin()
      if (begun === undefined) {
        tell('there is no such file (yet)')
        await wait(pollMs, undefined, { signal })
        continue
      }
      told = undefined
      let next: { file: GrowingFile; offset: number } | undefined = begun
      while (next !== undefined) {
        const { file, offset }: { file: GrowingFile; offset: number } = next
        try {
          await readOut(file, offset, signal)
        } finally {
          await file.close()
        }
        if (!follow) return
        const successor = await younger(file, path)
        const opened = successor && (await openSame(successor))
        next = opened && { file: opened, offset: 0 }
      }
    }
  }

  /** What the disk does not give now it may give later. */
  const run = async (signal: AbortSignal): Promise<void> => {
    for (;;) {
      try {
        await readAll(signal)
        return
      } catch (cause) {
        if (signal.aborted || !isOfTheDisk(cause)) throw cause
        state = 'held back'
        tell((cause as Error).message)
        await wait(retryMs, undefined, { signal })
      }
    }
  }

  return {
    name,
    series: [],
    state: () => state,
    figures: collector.figures,
    start: () => {
      if (running !== undefined) return
      stopping = new AbortController()
      const { signal } = stopping
      collector.start()
      running = run(signal).then(
        () => {
          state = 'ended'
        },
        (failure: unknown) => {
          state = signal.aborted ? 'stopped' : 'failed'
          if (!signal.aborted) onFailure(failure)
        },
      )
    },
    stop: async () => {
      stopping.abort()
      await running
      running = undefined
      collector.stop()
    },
  }
}

const isHead = async ({ path }: { readonly path: string }, head: FilePlace['head']): Promise<boolean> => {
  const file = await openGrowing(path)
  if (file === undefined) return false
  try {
    return await file.isHead(head)
  } finally {
    await file.close()
  }
}

const isOfTheDisk = (cause: unknown): boolean => cause instanceof Error && 'syscall' in cause

/** undefined where the name means another file by now: rotation goes on while we look. */
const openSame = async ({ path, inode }: Sibling): Promise<GrowingFile | undefined> => {
  const file = await openGrowing(path)
  if (file === undefined || file.inode === inode) return file
  await file.close()
  return undefined
}

/** The file that was begun after this one; the one that bears the name where this one is gone. */
const younger = async ({ inode }: GrowingFile, path: string): Promise<Sibling | undefined> => {
  const siblings = inOrder(await siblingsOf(path), path)
  const index = siblings.findIndex((each) => each.inode === inode)
  return index < 0 ? siblings.find((each) => each.path === path) : siblings[index + 1]
}
