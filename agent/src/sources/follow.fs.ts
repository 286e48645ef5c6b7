/**
 * A file of CSV or NDJSON, read once or followed while it grows, over rotation (renamed, a new one begun) and truncation
 * (emptied and written again). Its place is stored in the transaction of the readings, so that after a kill nothing is
 * read twice and nothing is left out. What is polled needs no watcher, and works on every file system.
 */

import { setTimeout as wait } from 'node:timers/promises'
import { createCollector, type CollectorParts } from './intake/collector.timer.ts'
import type { DocumentMapping } from './intake/document.ts'
import { openNext, openPlace } from './file-trail.ts'
import { parsePlace, type FilePlace } from './follow-plan.ts'
import type { FollowedFolder, GrowingFile } from './followed-folder.ts'
import { createFollowedFolder } from './growing-file.fs.ts'
import { createLineReader, type LineFormat } from './line-reader.ts'
import { createLines, type Line } from './lines.ts'
import type { ReadingSink, Source, SourceState } from './source.ts'

export interface FollowParts extends CollectorParts {
  readonly sink: Pick<ReadingSink, 'append' | 'position' | 'backlog'>
  readonly folder?: FollowedFolder
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

interface Begun {
  readonly file: GrowingFile
  readonly offset: number
  /** The beginning that the file had where the offset is from. */
  readonly head?: FilePlace['head']
}

/** A file that is read once can wait while so much waits for the control centre. */
const backlogBatchesMax = 64

const retryMs = 1_000

const missing = 'there is no such file (yet)'

export const createFollowSource = (parts: FollowParts, options: FollowOptions): Source => {
  const { sink, onFailure } = parts
  const { name, path, follow, pollMs } = options
  const folder = parts.folder ?? createFollowedFolder(path)
  const collector = createCollector(parts, options)
  const reader = createLineReader(collector, options, options)
  const now = parts.clock?.now ?? Date.now
  let state: SourceState = 'stopped'
  /** What is the matter with the file, said once. */
  let told: string | undefined
  /** There was no file at the first look. */
  let isNew = false
  let stopping = new AbortController()
  let running: Promise<void> | undefined

  /** Where reading goes on; undefined where there is no file, or none that keeps its name for long enough. */
  const begin = async (): Promise<Begun | undefined> => {
    const place = parsePlace(collector.place())
    if (place === undefined) return beginFirst()
    const trail = await openPlace(folder, place)
    if (trail.kind === 'found') return { file: trail.file, offset: place.offset, head: place.head }
    if (trail.kind === 'absent') tell(missing)
    if (trail.kind !== 'gone') return undefined
    collector.interrupted('the file that was read is gone, or was written anew: reading begins again', path)
    return { file: trail.file, offset: 0 }
  }

  /** Stores its place at once: the first reading may take until after a rotation, or a kill. */
  const beginFirst = async (): Promise<Begun | undefined> => {
    const file = await folder.open(path)
    if (file === undefined) {
      // What comes later is new to us from its first line on.
      isNew = true
      tell(missing)
      return undefined
    }
    const { size, modifiedAt } = await file.status()
    const offset = options.from === 'end' && !isNew ? size : 0
    const head = (await file.extendHead(undefined, offset)) ?? file.headOf(new Uint8Array())
    collector.moveTo({ inode: file.inode, head, offset, modifiedAt } satisfies FilePlace)
    return { file, offset, head }
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

  /** Reads until another file has taken the name, or to the end where nobody follows. What it returns comes next. */
  const readOut = async ({ file, ...begun }: Begun, signal: AbortSignal): Promise<Begun | undefined> => {
    let { offset } = begun
    let readTo = offset
    let known = begun.head
    let lines = createLines()
    const take = (line: Line): void => {
      offset += line.bytes
      if (reader.wantsHeader()) reader.begin(line.text)
      else reader.read(line, now())
    }
    reader.begin(offset > 0 ? await file.firstLine() : undefined)

    for (;;) {
      signal.throwIfAborted()
      if (!follow) await untilRoom(signal)
      state = follow ? 'live' : 'history'
      const bytes = await file.read(readTo)
      // Bytes of a file that was emptied and written on beyond our place: only its beginning tells, looked at after them.
      const before = known === undefined || readTo === 0 ? file.headOf(bytes) : known
      const head = await file.extendHead(before, readTo + bytes.length)
      const change = head === undefined ? 'emptied' : bytes.length > 0 ? 'grown' : await atEnd(file, readTo)
      if (head === undefined || change === 'emptied') {
        const place = { inode: file.inode, head: before, offset }
        // Without a beginning nothing was read, and nothing can be missing.
        const copy = before.bytes > 0 ? await openPlace(folder, place, file.inode) : undefined
        if (copy?.kind === 'moving') {
          await wait(pollMs, undefined, { signal })
          continue
        }
        collector.interrupted('the file was emptied: it is read from its start', path)
        // Whoever empties it has copied it before: there is the rest.
        if (copy?.kind === 'found') return { file: copy.file, offset, head: before }
        if (copy?.kind === 'gone') await copy.file.close()
        offset = 0
        readTo = 0
        known = undefined
        lines = createLines()
        reader.begin(undefined)
        continue
      }
      readTo += bytes.length
      known = head
      const { size, modifiedAt } = await file.status()
      const moveTo = (): void =>
        collector.moveTo({ inode: file.inode, head, offset, modifiedAt } satisfies FilePlace)
      if (change === 'grown') {
        for (const line of lines.push(bytes)) take(line)
        moveTo()
        await store(signal)
      } else if (change === 'none') {
        await wait(pollMs, undefined, { signal })
      } else if (size <= readTo) {
        // Nobody goes on writing what has another name now: what it ends with is a line.
        const rest = lines.rest()
        if (rest !== undefined) take(rest)
        // An empty file has no beginning to be found by: the place stays at the end of the one before it.
        if (readTo > 0) moveTo()
        await store(signal, true)
        return undefined
      }
    }
  }

  /** What has become of a file that is read to its end. */
  const atEnd = async (file: GrowingFile, readTo: number): Promise<'none' | 'emptied' | 'over'> => {
    if (!follow) return 'over'
    const active = await folder.active()
    // Who writes keeps the renamed file open until he is told: the first line in the new one says that he was.
    if (active !== undefined && active.inode !== file.inode && active.size > 0) return 'over'
    return (await file.status()).size < readTo ? 'emptied' : 'none'
  }

  const readAll = async (signal: AbortSignal): Promise<void> => {
    for (;;) {
      let next = await begin()
      if (next !== undefined) {
        told = undefined
        await store(signal, true)
      }
      while (next !== undefined) {
        const { file }: Begun = next
        try {
          next = (await readOut(next, signal)) ?? (follow ? await after(file) : undefined)
        } finally {
          await file.close()
        }
        if (!follow) return
      }
      await wait(pollMs, undefined, { signal })
    }
  }

  const after = async (file: GrowingFile): Promise<Begun | undefined> => {
    const trail = await openNext(folder, file)
    return 'file' in trail ? { file: trail.file, offset: 0 } : undefined
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

const isOfTheDisk = (cause: unknown): boolean => cause instanceof Error && 'syscall' in cause
