/** Lets a feed out at its pace, from the stored cursor on, and holds it back when the outbox fills up. */

import { setImmediate, setTimeout } from 'node:timers/promises'
import { Failure } from '@imlma/protocol/result'
import { parsePosition, toColumns, writePosition, type Feed, type FeedBlock } from './feed.ts'
import { mustWait, paceDefaults, toDueSlots, type Pace } from './pace.ts'
import type { ReadingSink, Source, SourceState } from './source.ts'

/** Clock and timer of the pace; tests bring their own. */
export interface PaceClock {
  /** UTC epoch milliseconds. */
  readonly now: () => number
  /** Milliseconds that only grow. */
  readonly monotonicMs: () => number
  /** Rejects when the signal aborts. */
  readonly wait: (ms: number, signal: AbortSignal) => Promise<unknown>
}

export interface PacedSourceParts {
  readonly feed: Feed
  readonly sink: ReadingSink
  /** A failure the source waits out (retryable), or ends with. */
  readonly onFailure?: (failure: unknown) => void
  readonly clock?: PaceClock
}

export interface PacedSourceOptions extends Partial<Pace> {
  readonly name: string
}

/** Real milliseconds between two looks at the event clock. */
const tickMs = 100

/** A longer sleep of the machine is not caught up with: the event clock goes on where it was. */
const stepMsMax = 1_000

const retryMs = 1_000

export const realClock: PaceClock = {
  now: Date.now,
  monotonicMs: () => performance.now(),
  wait: (ms, signal) =>
    ms === 0 ? setImmediate(undefined, { signal }) : setTimeout(ms, undefined, { signal }),
}

export const createPacedSource = (parts: PacedSourceParts, options: PacedSourceOptions): Source => {
  const { feed, sink, onFailure = () => undefined, clock = realClock } = parts
  const { name, ...given } = options
  const pace: Pace = { ...paceDefaults, ...given }
  const { intervalMs } = feed
  let state: SourceState = 'stopped'
  let running: Promise<void> | undefined
  let stopping = new AbortController()

  /** Event time; stands still before live begins and while the feed is held back. */
  const createEventClock = () => {
    let eventNow: number | undefined
    let lookedAt = clock.monotonicMs()
    return {
      read: (liveBegin: number): number => {
        const at = clock.monotonicMs()
        eventNow = (eventNow ?? liveBegin) + Math.min(at - lookedAt, stepMsMax) * pace.speed
        lookedAt = at
        return eventNow
      },
      hold: () => {
        lookedAt = clock.monotonicMs()
      },
      /** A gap in the feed is passed at once: nobody waits for readings that do not exist. */
      skipTo: (event: number) => {
        if (eventNow !== undefined && event > eventNow) eventNow = event
      },
    }
  }

  /** False where the outbox could not store: nothing happened, the same may be tried again. */
  const append = (block: FeedBlock, from: number, to: number, liveFrom: number): boolean => {
    const next = block.start + to * intervalMs
    try {
      sink.append(toColumns(feed, block, from, to), {
        historical: block.start + from * intervalMs < liveFrom,
        cursor: { source: name, position: writePosition({ liveFrom, next }) },
      })
      return true
    } catch (failure) {
      if (!(failure instanceof Failure && failure.retryable)) throw failure
      onFailure(failure)
      return false
    }
  }

  const run = async (signal: AbortSignal): Promise<void> => {
    const position = parsePosition(sink.position(name)) ?? feed.begin(clock.now())
    const { liveFrom } = position
    const eventClock = createEventClock()
    for await (const block of feed.blocks(position.next)) {
      const slots = block.values[0]?.length ?? 0
      if (block.start >= liveFrom) eventClock.skipTo(block.start)
      for (let from = 0; from < slots;) {
        signal.throwIfAborted()
        const at = block.start + from * intervalMs
        const isLive = at >= liveFrom
        if (mustWait(sink.backlog(), isLive, pace)) {
          state = 'held back'
          await clock.wait(tickMs, signal)
          eventClock.hold()
          continue
        }
        state = isLive ? 'live' : 'history'
        if (!isLive) eventClock.hold()
        const eventNow = isLive ? eventClock.read(at) : at
        const to = toDueSlots({ start: block.start, slots }, from, { liveFrom }, intervalMs, eventNow, pace)
        if (to === from) {
          await clock.wait(tickMs, signal)
        } else if (append(block, from, to, liveFrom)) {
          from = to
          // The loop's other work (sending, serving) comes in between.
          await clock.wait(0, signal)
        } else {
          await clock.wait(retryMs, signal)
        }
      }
    }
  }

  return {
    name,
    series: feed.series,
    state: () => state,
    start: () => {
      if (running !== undefined) return
      stopping = new AbortController()
      const { signal } = stopping
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
    },
  }
}
