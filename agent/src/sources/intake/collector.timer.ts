/**
 * What every source of samples stands on: it takes samples and rejects, closes intervals as time goes on, and stores
 * them together with the place of the source and what it has begun. After a kill a source that can go back (a file)
 * reads on from there: nothing twice, nothing lost. One that cannot (a socket) loses the samples since the last
 * checkpoint, which shows in the quality of the one interval that they belonged to.
 */

import { Failure } from '@imlma/protocol/result'
import type { ReadingSink } from '../source.ts'
import type { SourceFigures } from '../source-figures.ts'
import { parseCursor, writeCursor } from './cursor.ts'
import type { Sample } from './document.ts'
import {
  createIntake,
  toColumns,
  type IntakeOptions,
  type IntakeReading,
  type TakeOutcome,
} from './intake.ts'
import { createRejects } from './rejects.ts'

export interface CollectorClock {
  readonly now: () => number
  readonly mono: () => number
}

export interface CollectorParts {
  readonly sink: Pick<ReadingSink, 'append' | 'position'>
  readonly onFailure: (failure: unknown) => void
  readonly clock?: CollectorClock
}

export interface CollectorOptions extends IntakeOptions {
  readonly name: string
  /** Milliseconds between two looks at what is over. */
  readonly tickMs?: number
  /** Milliseconds of samples that a kill costs a source which cannot go back; more often means more flash wear. */
  readonly checkpointMs?: number
  /** Readings that wait while the store takes none; beyond, the oldest are lost and counted. */
  readonly waitingMax?: number
}

export interface Collector {
  readonly take: (samples: readonly Sample[]) => void
  readonly reject: (code: string, message: string, example: string) => void
  /** What the source reads from is not there; said and counted, however often it is tried again. */
  readonly interrupted: (message: string, target: string) => void
  /** Where a source reads on; stored with the next readings. */
  readonly moveTo: (place: unknown) => void
  /** The stored place; undefined at the first start. */
  readonly place: () => unknown
  /** Stores what is over. False where the store did not take it: it waits, and the next call tries again. */
  readonly flush: (options?: { readonly isCheckpoint?: boolean }) => boolean
  readonly figures: () => SourceFigures
  readonly start: () => void
  /** Writes down what was begun. */
  readonly stop: () => void
}

/** Readings older than that are history, which leaves behind live ones. */
const historicalMs = 3_600_000

/** Samples after which intervals are closed at the latest: a file has years in one go. */
const samplesPerClose = 500

const realClock: CollectorClock = { now: Date.now, mono: () => performance.now() }

export const createCollector = (parts: CollectorParts, options: CollectorOptions): Collector => {
  const { sink, onFailure, clock = realClock } = parts
  const { name, tickMs = 1_000, checkpointMs = 60_000, waitingMax = 200_000 } = options
  const cursor = parseCursor(sink.position(name))
  const intake = createIntake(options, cursor?.series)
  const rejects = createRejects()
  const counts = createCounts()
  let place = cursor?.place
  let waiting: IntakeReading[] = []
  let sinceClose = 0
  let storedAt = clock.mono()
  let hasNews = false
  let hasFailed = false
  let timer: NodeJS.Timeout | undefined

  const clocks = () => ({ now: clock.now(), mono: clock.mono() })

  const close = (): void => {
    sinceClose = 0
    waiting.push(...intake.close(clocks()))
    if (waiting.length <= waitingMax) return
    counts.figures.lost += waiting.length - waitingMax
    waiting = waiting.slice(-waitingMax)
  }

  const store = (): boolean => {
    const position = writeCursor({ place: place ?? null, series: intake.snapshot() })
    try {
      const newest = waiting.reduce((at, each) => Math.max(at, (each.interval + 1) * each.intervalMs), 0)
      sink.append(toColumns(waiting), {
        historical: waiting.length > 0 && newest < clock.now() - historicalMs,
        cursor: { source: name, position },
      })
    } catch (failure) {
      if (!(failure instanceof Failure)) throw failure
      // Said once: the store is tried every second.
      if (!hasFailed) onFailure(failure)
      hasFailed = true
      return false
    }
    hasFailed = false
    counts.figures.readings += waiting.length
    counts.figures.corrected += waiting.filter(({ isCorrection }) => isCorrection).length
    waiting = []
    storedAt = clock.mono()
    hasNews = false
    return true
  }

  const flush: Collector['flush'] = ({ isCheckpoint = false } = {}) => {
    close()
    const isDue = hasNews && (isCheckpoint || clock.mono() - storedAt >= checkpointMs)
    return waiting.length === 0 && !isDue ? true : store()
  }

  return {
    take: (samples) => {
      hasNews ||= samples.length > 0
      for (const sample of samples) {
        const outcome = intake.take(sample, clocks())
        counts.count(outcome, clock.now())
        const reason = reasons[outcome]
        if (reason !== undefined) {
          const example = `${sample.meter} ${new Date(sample.at).toISOString()} ${sample.value}`
          rejects.add(reason.code, reason.message, example, clock.now())
        }
        if (++sinceClose >= samplesPerClose) close()
      }
    },
    reject: (code, message, example) => rejects.add(code, message, example, clock.now()),
    interrupted: (message, target) => {
      counts.figures.interruptions += 1
      counts.figures.interruption = { message: `${target}: ${message}`.slice(0, 300), at: clock.now() }
    },
    moveTo: (next) => {
      place = next
      hasNews = true
    },
    place: () => place,
    flush,
    figures: () => ({
      ...counts.figures,
      series: intake.seriesCount(),
      malformed: rejects.total(),
      rejects: rejects.list(),
    }),
    start: () => {
      timer ??= setInterval(() => void flush(), tickMs).unref()
    },
    stop: () => {
      clearInterval(timer)
      timer = undefined
      flush({ isCheckpoint: true })
    },
  }
}

/** Outcomes that somebody has to look at. */
const reasons: Readonly<Partial<Record<TakeOutcome, { readonly code: string; readonly message: string }>>> = {
  'off grid': {
    code: 'OFF_GRID',
    message: 'the time is between two intervals: configure an aggregate, or the interval',
  },
  'too many series': { code: 'TOO_MANY_SERIES', message: 'more meters than one source may bring' },
  'from the future': { code: 'FROM_THE_FUTURE', message: 'dated more than a day ahead: check the clocks' },
  unbridged: {
    code: 'UNBRIDGED',
    message: 'the counter was silent for too long to say when the energy was used',
  },
}

type Writable = { -readonly [Name in keyof SourceFigures]: SourceFigures[Name] }

const createCounts = () => {
  const figures: Omit<Writable, 'rejects' | 'malformed' | 'series'> = {
    samples: 0,
    readings: 0,
    repeated: 0,
    late: 0,
    tooLate: 0,
    corrected: 0,
    resets: 0,
    rollovers: 0,
    lost: 0,
    interruptions: 0,
    interruption: null,
    lastAt: null,
  }
  return {
    figures,
    count: (outcome: TakeOutcome, at: number): void => {
      figures.samples += 1
      figures.lastAt = at
      if (outcome === 'repeated') figures.repeated += 1
      if (outcome === 'late' || outcome === 'corrected') figures.late += 1
      if (outcome === 'too late') figures.tooLate += 1
      if (outcome === 'reset') figures.resets += 1
      if (outcome === 'rolled over') figures.rollovers += 1
    },
  }
}
