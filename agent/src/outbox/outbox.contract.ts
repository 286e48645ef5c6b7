/** What every outbox does, whatever it is stored in. */

import { describe, expect, test } from 'vitest'
import { parseCborMessage, readingBatchSchema, type ReadingSeries } from '@imlma/protocol/wire'
import { limits } from '@imlma/protocol/limits'
import type { Outbox, OutboundBatch } from './outbox.ts'

export interface OutboxUnderTest {
  readonly outbox: Outbox
  /** The same outbox after a power cut. */
  readonly reopen: () => Outbox
  /** Another one, without anything in it. */
  readonly empty: (options?: { readonly bytesMax?: number }) => Outbox
}

const minute = 60_000
const start = 1_700_000_040_000

export const columnOf = (meter: string, values: readonly number[], offset = 0): ReadingSeries => ({
  meter,
  register: '1-0:1.29.0',
  interval: minute,
  start: start + offset * minute,
  values: Float32Array.from(values),
})

export const everything = { after: 0, batchesMax: 1_000, bytesMax: 2 ** 30 }

export const parsed = ({ packet }: OutboundBatch) => {
  const result = parseCborMessage(readingBatchSchema, packet, limits.packetBytesMax)
  if (!result.ok) throw new Error(result.refusal.message)
  return result.value
}

const sequences = (outbox: Outbox, window = everything) => outbox.next(window).map(({ seq }) => seq)

/** Each batch as its sequence and its first value. */
const firstValues = (outbox: Outbox) =>
  outbox
    .next(everything)
    .map(parsed)
    .map(({ seq, series }) => [seq, series[0]?.values[0]])

export const outboxContract = (create: () => OutboxUnderTest): void => {
  describe('outbox', () => {
    test('a batch is kept until the coordinator acknowledges it', () => {
      const { outbox } = create()
      outbox.acknowledge(0)
      for (const value of [1, 2, 3]) outbox.append([columnOf('m', [value])], { historical: false })
      expect(sequences(outbox)).toEqual([1, 2, 3])
      expect(outbox.acknowledge(2)).toEqual({ removed: 2, renumbered: false })
      expect(sequences(outbox)).toEqual([3])
      expect(outbox.acknowledge(2)).toEqual({ removed: 0, renumbered: false })
      expect(outbox.acknowledged()).toBe(2)
    })

    test('what was appended is sent as it was, with its header', () => {
      const { outbox } = create()
      outbox.acknowledge(41)
      const suspect = { ...columnOf('b', [5, Number.NaN]), quality: Uint8Array.of(3, 0) }
      outbox.append([columnOf('a', [1.5, 2.5]), suspect], { historical: true })
      const [batch] = outbox.next(everything).map(parsed)
      expect(batch).toMatchObject({
        v: 1,
        seq: 42,
        oldest: 42,
        historical: true,
        series: [{ meter: 'a' }, {}],
      })
      expect(batch?.series[0]?.values).toEqual(Float32Array.of(1.5, 2.5))
      expect(batch?.series[1]).toEqual(suspect)
    })

    test('many short columns come back the same although they are stored small', () => {
      const { outbox } = create()
      outbox.acknowledge(0)
      const live = Array.from({ length: 1_000 }, (_, i) => columnOf(`meter-${i}`, [i / 7]))
      outbox.append(live, { historical: false })
      expect(outbox.backlog().bytes / 1_000).toBeLessThan(12)
      expect(outbox.next(everything).map(parsed)[0]?.series).toEqual(live)
    })

    test('readings beyond one packet become several batches in order', () => {
      const { outbox } = create()
      outbox.acknowledge(0)
      const columns = Array.from({ length: 12 }, (_, i) =>
        columnOf(
          `m${i}`,
          Array.from({ length: limits.valuesPerSeriesMax + 7 }, (_value, slot) => slot + i),
        ),
      )
      outbox.append(columns, { historical: true })
      const batches = outbox.next(everything)
      expect(batches.map(({ seq }) => seq)).toEqual(batches.map((_, i) => i + 1))
      expect(Math.max(...batches.map(({ packet }) => packet.length))).toBeLessThan(limits.packetBytesMax)
      const received = new Map<string, number[]>()
      for (const { series } of batches.map(parsed)) {
        for (const { meter, values } of series)
          received.set(meter, [...(received.get(meter) ?? []), ...values])
      }
      expect(received).toEqual(new Map(columns.map(({ meter, values }) => [meter, [...values]])))
    })

    test('a window bounds batches and bytes, and always holds one', () => {
      const { outbox } = create()
      outbox.acknowledge(0)
      for (const value of [1, 2, 3, 4]) outbox.append([columnOf('m', [value])], { historical: false })
      expect(sequences(outbox, { after: 0, batchesMax: 3, bytesMax: 2 ** 20 })).toEqual([1, 2, 3])
      expect(sequences(outbox, { after: 1, batchesMax: 2, bytesMax: 2 ** 20 })).toEqual([2, 3])
      expect(sequences(outbox, { after: 0, batchesMax: 9, bytesMax: 1 })).toEqual([1])
      expect(sequences(outbox, { after: 4, batchesMax: 9, bytesMax: 1 })).toEqual([])
    })

    test('nothing leaves before the coordinator has said where to continue', () => {
      const { outbox, reopen } = create()
      outbox.append([columnOf('m', [1])], { historical: false })
      outbox.append([columnOf('m', [2], 1)], { historical: false })
      expect(sequences(outbox)).toEqual([])
      expect(outbox.acknowledged()).toBeUndefined()
      expect(outbox.acknowledge(700)).toEqual({ removed: 0, renumbered: true })
      expect(sequences(outbox)).toEqual([701, 702])
      expect(sequences(reopen())).toEqual([701, 702])
    })

    test('a sequence is never given twice, also when the outbox ran empty before a restart', () => {
      const { outbox, reopen } = create()
      outbox.acknowledge(0)
      outbox.append([columnOf('m', [1])], { historical: false })
      expect(sequences(outbox)).toEqual([1])
      outbox.acknowledge(1)
      outbox.settle()
      const again = reopen()
      again.append([columnOf('m', [2], 1)], { historical: false })
      expect(sequences(again)).toEqual([2])
    })

    test('what was acknowledged before a power cut keeps its sequence, where it is sent once more', () => {
      const { outbox, reopen } = create()
      outbox.acknowledge(0)
      outbox.append([columnOf('m', [1])], { historical: false })
      outbox.next(everything)
      outbox.acknowledge(1)
      const again = reopen()
      again.append([columnOf('m', [2], 1)], { historical: false })
      expect(firstValues(again)).toEqual([
        [1, 1],
        [2, 2],
      ])
      expect(again.acknowledge(2).removed).toBe(2)
    })

    test('live readings overtake the backlog, which leaves from its oldest on and says what it is', () => {
      const { outbox } = create()
      for (let i = 0; i < 30; i++) outbox.append([columnOf('m', [i], i)], { historical: i < 5 })
      outbox.acknowledge(0)
      const first = outbox.next({ after: 0, batchesMax: 20, bytesMax: 2 ** 20, backlogMax: 3 })
      expect(first.map(({ seq }) => seq)).toEqual(first.map((_, i) => i + 1))
      const live = Array.from({ length: 16 }, (_, i) => [14 + i, false])
      expect(first.map(parsed).map(({ series, historical }) => [series[0]?.values[0], historical])).toEqual([
        ...live,
        [0, true],
        [1, true],
        [2, true],
      ])
      outbox.append([columnOf('m', [30], 30)], { historical: false })
      outbox.acknowledge(18)
      // Two places are not worth a number on disk: the third opens when more than half is free.
      const second = outbox.next({ after: 19, batchesMax: 20, bytesMax: 2 ** 20, backlogMax: 3 })
      expect(second.map(parsed).map(({ seq, series }) => [seq, series[0]?.values[0]])).toEqual([
        [20, 30],
        [21, 3],
        [22, 4],
      ])
      outbox.acknowledge(22)
      const third = outbox.next({ after: 22, batchesMax: 20, bytesMax: 2 ** 20 }).map(parsed)
      expect(third.map(({ series, historical }) => [series[0]?.values[0], historical])).toEqual(
        Array.from({ length: 9 }, (_, i) => [5 + i, true]),
      )
    })

    test('a sequence that may have left stays with its readings over every restart', () => {
      const { outbox, reopen } = create()
      for (let i = 0; i < 20; i++) outbox.append([columnOf('m', [i], i)], { historical: false })
      outbox.acknowledge(0)
      const narrow = { after: 0, batchesMax: 3, bytesMax: 2 ** 20, backlogMax: 1 }
      outbox.next(narrow)
      const again = reopen()
      for (let i = 20; i < 30; i++) again.append([columnOf('m', [i], i)], { historical: false })
      expect(
        again
          .next(narrow)
          .map(parsed)
          .map(({ seq, series }) => [seq, series[0]?.values[0]]),
      ).toEqual([
        [1, 4],
        [2, 5],
        [3, 6],
      ])
    })

    test('an old disk continues above what the coordinator knows, and loses nothing', () => {
      const { outbox } = create()
      outbox.acknowledge(0)
      outbox.append([columnOf('m', [1])], { historical: false })
      outbox.append([columnOf('m', [2], 1)], { historical: false })
      expect(outbox.acknowledge(90)).toEqual({ removed: 0, renumbered: true })
      expect(sequences(outbox)).toEqual([91, 92])
      expect(outbox.acknowledge(91)).toEqual({ removed: 1, renumbered: false })
    })

    test('what never left cannot be acknowledged by a number from another life', () => {
      const { outbox, reopen } = create()
      outbox.acknowledge(0)
      outbox.append([columnOf('m', [1])], { historical: false })
      const again = reopen()
      again.append([columnOf('m', [2], 1)], { historical: false })
      again.append([columnOf('m', [3], 2)], { historical: false })
      // 1 may have left before the restart; 2 was numbered by a coordinator that knows another batch under it.
      expect(again.acknowledge(2)).toEqual({ removed: 0, renumbered: true })
      expect(firstValues(again)).toEqual([
        [3, 1],
        [4, 2],
        [5, 3],
      ])
    })

    test('an acknowledgement that cannot be one changes nothing', () => {
      const { outbox } = create()
      outbox.acknowledge(5)
      outbox.append([columnOf('m', [1])], { historical: false })
      for (const seq of [-1, 0.5, Number.NaN, Number.MAX_SAFE_INTEGER, 4]) {
        expect(outbox.acknowledge(seq)).toEqual({ removed: 0, renumbered: false })
      }
      expect(sequences(outbox)).toEqual([6])
    })

    test('the cursor of a source is stored with its readings and survives', () => {
      const { outbox, reopen } = create()
      expect(outbox.position('feed')).toBeUndefined()
      outbox.append([columnOf('m', [1])], { historical: false, cursor: { source: 'feed', position: 'a' } })
      outbox.append([], { historical: false, cursor: { source: 'feed', position: 'b' } })
      outbox.append([columnOf('m', [1])], { historical: false, cursor: { source: 'other', position: 'c' } })
      expect(outbox.backlog().batches).toBe(2)
      const again = reopen()
      expect([again.position('feed'), again.position('other')]).toEqual(['b', 'c'])
    })

    test('the oldest go first when the quota is reached, and are counted', () => {
      const { empty, reopen } = create()
      const values = Array.from({ length: 250 }, (_, i) => i)
      const outbox = empty({ bytesMax: 5_000 })
      outbox.acknowledge(0)
      for (let i = 0; i < 10; i++) outbox.append([columnOf('m', values, i * 250)], { historical: false })
      const { batches, bytes, readings, dropped } = outbox.backlog()
      expect(bytes).toBeLessThanOrEqual(5_000)
      expect([batches, readings, dropped]).toEqual([4, 1_000, 1_500])
      // They never had a sequence: none is missing.
      expect(outbox.next(everything).map(parsed)[0]).toMatchObject({ seq: 1, oldest: 1 })
      expect(reopen().backlog()).toMatchObject({ batches: 4, bytes, readings: 1_000, dropped: 1_500 })
    })

    test('readings that were history when they came go before recent ones, whatever came first', () => {
      const { empty } = create()
      const many = Array.from({ length: 250 }, (_, i) => i)
      const outbox = empty({ bytesMax: 5_000 })
      const left = () => outbox.next(everything).map((each) => parsed(each).series[0]?.meter)
      outbox.append([columnOf('recent-1', many)], { historical: false })
      outbox.append([columnOf('old-1', many)], { historical: true })
      outbox.append([columnOf('old-2', many)], { historical: true })
      for (const meter of ['recent-2', 'recent-3'])
        outbox.append([columnOf(meter, many)], { historical: false })
      expect(outbox.backlog().droppedByClass).toEqual({ old: 250, recent: 0, damaged: 0, alarm: 0 })
      for (const meter of ['recent-4', 'recent-5'])
        outbox.append([columnOf(meter, many)], { historical: false })
      expect(outbox.backlog().droppedByClass).toEqual({ old: 500, recent: 250, damaged: 0, alarm: 0 })
      outbox.acknowledge(0)
      expect(left()).toEqual(['recent-2', 'recent-3', 'recent-4', 'recent-5'])
    })

    test('what has a sequence goes last, and the next batch says that it will never come', () => {
      const { empty } = create()
      const many = Array.from({ length: 250 }, (_, i) => i)
      const outbox = empty({ bytesMax: 3_000 })
      outbox.acknowledge(0)
      for (let i = 0; i < 2; i++) outbox.append([columnOf('m', many, i * 250)], { historical: false })
      expect(sequences(outbox)).toEqual([1, 2])
      for (let i = 2; i < 5; i++) outbox.append([columnOf('m', many, i * 250)], { historical: false })
      expect(outbox.backlog()).toMatchObject({ batches: 2, dropped: 750 })
      expect(outbox.next(everything).map(parsed)).toMatchObject([
        { seq: 2, oldest: 2 },
        { seq: 3, oldest: 2 },
      ])
    })

    test('the newest batch is kept also when it alone is above the quota', () => {
      const { empty } = create()
      const outbox = empty({ bytesMax: 10 })
      outbox.acknowledge(0)
      outbox.append([columnOf('m', [1, 2, 3, 4])], { historical: false })
      outbox.append([columnOf('m', [5, 6, 7, 8], 4)], { historical: false })
      expect(outbox.backlog()).toMatchObject({ batches: 1, dropped: 4 })
    })

    test('the backlog counts what waits', () => {
      const { outbox } = create()
      const droppedByClass = { alarm: 0, recent: 0, old: 0, damaged: 0 }
      expect(outbox.backlog()).toEqual({
        batches: 0,
        bytes: 0,
        readings: 0,
        dropped: 0,
        droppedByClass,
        oldestAt: null,
      })
      outbox.acknowledge(0)
      outbox.append([columnOf('m', [1, 2])], { historical: false })
      outbox.append([columnOf('m', [3], 2)], { historical: false })
      const { oldestAt, bytes } = outbox.backlog()
      expect(outbox.backlog()).toMatchObject({ batches: 2, readings: 3 })
      outbox.next(everything)
      outbox.acknowledge(1)
      expect(outbox.backlog()).toMatchObject({ batches: 1, readings: 1 })
      expect(outbox.backlog().bytes).toBeLessThan(bytes)
      expect(outbox.backlog().oldestAt).toBeGreaterThan(oldestAt ?? 0)
    })

    test('who listens hears of readings after they are stored', () => {
      const { outbox } = create()
      const heard: [number, number][] = []
      const stop = outbox.onAppend(({ latestAt }) => heard.push([latestAt, outbox.backlog().batches]))
      outbox.append([columnOf('m', [1, 2, 3])], { historical: false })
      stop()
      outbox.append([columnOf('m', [1])], { historical: false })
      expect(heard).toEqual([[start + 2 * minute, 1]])
    })
  })
}
