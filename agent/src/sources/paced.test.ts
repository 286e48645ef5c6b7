import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { Failure } from '@imlma/protocol/result'
import type { ReadingSeries } from '@imlma/protocol/wire'
import { createSource } from './create-source.fs.ts'
import { createPacedSource, type PaceClock, type PacedSourceOptions } from './paced.timer.ts'
import { createSimulatedFeed } from './simulated.ts'
import type { ReadingSink, Source } from './source.ts'
import { createSimulation } from './simulation.ts'

const interval = 900_000
const liveFrom = Date.UTC(2024, 4, 1)
const meters = ['a', 'b']

/** A clock that moves when the test says so; a wait of no time lets the loop turn. */
const createManualClock = () => {
  let at = 0
  const waiting = new Set<{ readonly until: number; readonly wake: () => void }>()
  const clock: PaceClock = {
    now: () => liveFrom,
    monotonicMs: () => at,
    wait: (ms, signal) =>
      new Promise((resolve, reject) => {
        signal.throwIfAborted()
        if (ms === 0) {
          setImmediate(resolve)
          return
        }
        const entry = { until: at + ms, wake: () => resolve(undefined) }
        waiting.add(entry)
        signal.addEventListener('abort', () => reject(new Error('aborted')))
      }),
  }
  const settle = async () => {
    for (let i = 0; i < 30; i++) await new Promise((resolve) => setImmediate(resolve))
  }
  return {
    clock,
    settle,
    advance: async (ms: number) => {
      for (let passed = 0; passed < ms; passed += 100) {
        at += 100
        for (const entry of waiting) {
          if (entry.until > at) continue
          waiting.delete(entry)
          entry.wake()
        }
        await settle()
      }
    },
  }
}

const createSink = () => {
  const appended: { series: readonly ReadingSeries[]; historical: boolean }[] = []
  const positions = new Map<string, string>()
  const state = { batches: 0, failures: 0 }
  const sink: ReadingSink = {
    append: (series, { historical, cursor }) => {
      if (state.failures > 0) {
        state.failures -= 1
        throw new Failure('NO_SPACE', 'full', { retryable: true })
      }
      appended.push({ series, historical })
      if (cursor !== undefined) positions.set(cursor.source, cursor.position)
    },
    position: (source) => positions.get(source),
    backlog: () => ({ batches: state.batches, bytes: 0 }),
  }
  const valuesOf = (meter: string, historical?: boolean) =>
    appended
      .filter((each) => historical === undefined || each.historical === historical)
      .flatMap(({ series }) =>
        series.filter((each) => each.meter === meter).flatMap(({ values }) => [...values]),
      )
  return { sink, state, appended, valuesOf }
}

const sources: Source[] = []
let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'imlma-paced-'))
})
afterEach(async () => {
  for (const { stop } of sources.splice(0)) await stop()
  rmSync(folder, { recursive: true })
})

const setUp = (options: Partial<PacedSourceOptions> = {}, given = createSink(), historyDays = 1) => {
  const manual = createManualClock()
  const feed = createSimulatedFeed({ meters, historyDays, seed: 5, intervalMs: interval })
  const source = createPacedSource(
    { feed, sink: given.sink, clock: manual.clock },
    { name: 'feed', speed: 9_000, ...options },
  )
  sources.push(source)
  source.start()
  return { ...given, ...manual, source }
}

const expected = (meter: string, fromSlot: number, count: number) => [
  ...createSimulation({ seed: 5, intervalMs: interval }).read(meter, liveFrom + fromSlot * interval, count),
]

describe('a paced source', () => {
  test('sends its history at once and then live readings when their interval is over', async () => {
    const { settle, advance, valuesOf, source } = setUp()
    await settle()
    expect(valuesOf('a', true)).toEqual(expected('a', -96, 96))
    expect(valuesOf('a', false)).toEqual([])
    // 9,000 event seconds a second: one quarter hour every 100 ms.
    await advance(500)
    expect(valuesOf('a', false)).toEqual(expected('a', 0, 5))
    expect(valuesOf('b', false)).toEqual(expected('b', 0, 5))
    expect(source.state()).toBe('live')
  })

  test('goes on with the next slot after a restart, whenever it was stopped', async () => {
    const sink = createSink()
    for (const ms of [0, 300, 200, 400]) {
      const { settle, advance, source } = setUp({}, sink)
      await settle()
      await advance(ms)
      await source.stop()
      expect(source.state()).toBe('stopped')
    }
    expect(sink.valuesOf('a')).toEqual(expected('a', -96, 96 + 9))
  })

  test('is held back while too much waits, and its event clock with it', async () => {
    const { advance, state, valuesOf, source, settle } = setUp({ backlogBatchesMax: 4 })
    await settle()
    await advance(200)
    state.batches = 4
    await advance(1_000)
    expect(source.state()).toBe('held back')
    const before = valuesOf('a', false).length
    state.batches = 0
    await advance(300)
    expect(valuesOf('a', false).length - before).toBeLessThanOrEqual(4)
    expect(valuesOf('a', false)).toEqual(expected('a', 0, valuesOf('a', false).length))
  })

  test('at the speed of real meters waits for nobody', async () => {
    const { advance, state, valuesOf, settle } = setUp({ speed: 1, backlogBatchesMax: 1 })
    await settle()
    state.batches = 100
    await advance(901_000 / 100)
    expect(valuesOf('a', false)).toEqual([])
    expect(valuesOf('a', true)).toHaveLength(96)
  })

  test('tries again what the outbox could not store', async () => {
    const sink = createSink()
    sink.state.failures = 2
    const { advance, valuesOf, settle } = setUp({}, sink)
    await settle()
    expect(valuesOf('a')).toEqual([])
    await advance(2_500)
    expect(valuesOf('a', true)).toEqual(expected('a', -96, 96))
  })

  test('sends so many live intervals at a time and no more', async () => {
    const { advance, appended, settle } = setUp({ speed: 90_000, slotsPerAppendMax: 3 })
    await settle()
    await advance(300)
    const sizes = appended
      .filter(({ historical }) => !historical)
      .map(({ series }) => series[0]?.values.length)
    expect(sizes.length).toBeGreaterThan(5)
    expect(Math.max(...sizes.map((size) => size ?? 0))).toBeLessThanOrEqual(3)
  })
})

describe('a replayed file', () => {
  const write = (rows: number) => {
    const path = join(folder, 'file.csv')
    const lines = Array.from(
      { length: rows },
      (_, i) => `${new Date(liveFrom + i * interval).toISOString()},${i},${-i}`,
    )
    writeFileSync(path, `time,load,temperature\n${lines.join('\n')}\n`)
    return path
  }

  test('comes whole, in order, with the registers asked for, and ends', async () => {
    const { sink, valuesOf, appended } = createSink()
    const path = write(4_000)
    const source = await createSource(
      { sink },
      {
        kind: 'replay',
        name: 'file',
        path,
        columns: ['load', 'temperature'],
        registers: { temperature: 't' },
        historyDays: 100,
      },
    )
    if (!source.ok) throw new Error(source.refusal.message)
    sources.push(source.value)
    source.value.start()
    await vi.waitUntil(() => source.value.state() === 'ended')
    expect(valuesOf('load')).toEqual(Array.from({ length: 4_000 }, (_, i) => i))
    expect(appended[0]?.series.map(({ register }) => register)).toEqual(['value', 't'])
  })

  test('goes on after its cursor', async () => {
    const { sink, valuesOf } = createSink()
    const path = write(3_000)
    const config = { kind: 'replay', name: 'file', path, historyDays: 100 } as const
    sink.append([], {
      historical: true,
      cursor: {
        source: 'file',
        position: JSON.stringify({ liveFrom: liveFrom * 2, next: liveFrom + 2_990 * interval }),
      },
    })
    const source = await createSource({ sink }, config)
    if (!source.ok) throw new Error(source.refusal.message)
    sources.push(source.value)
    source.value.start()
    await vi.waitUntil(() => source.value.state() === 'ended')
    expect(valuesOf('load')).toEqual(Array.from({ length: 10 }, (_, i) => 2_990 + i))
  })

  test('that cannot be read is refused before it starts', async () => {
    const source = await createSource(
      { sink: createSink().sink },
      { kind: 'replay', name: 'f', path: join(folder, 'none') },
    )
    expect(source).toMatchObject({ ok: false, refusal: { code: 'FILE_UNREADABLE' } })
  })
})
