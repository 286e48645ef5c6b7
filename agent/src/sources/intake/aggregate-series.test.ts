import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { quality } from '@imlma/protocol/wire'
import { closeIntervals, takeSample } from './aggregate-series.ts'
import { newSeries } from './series-state.ts'
import { valueSchema, type ValueMapping } from './values.ts'

const minute = 60_000
const interval = 15 * minute
const start = Date.UTC(2026, 0, 1)
const first = start / interval

const mappingOf = (mapping: Partial<ValueMapping>): ValueMapping =>
  valueSchema.parse({ register: 'r', intervalMs: interval, sampleEveryMs: minute, ...mapping })

const setUp = (mapping: Partial<ValueMapping>) => {
  const state = newSeries('m', 0)
  const full = mappingOf(mapping)
  return {
    state,
    put: (at: number, value: number) => takeSample(state, { at: start + at, value }, full),
    /** At a time long after everything, with nothing coming any more. */
    closeAll: () => closeIntervals(state, { now: start + 1e10, quietMs: 1e9 }, full),
    close: (now: number, quietMs = 0) => closeIntervals(state, { now: start + now, quietMs }, full),
  }
}

describe('an interval of samples', () => {
  test.each([
    ['mean', 2],
    ['sum', 30],
    ['min', 1],
    ['max', 3],
    ['last', 2],
    ['energy', 0.5],
  ] as const)('%s', (aggregate, value) => {
    const { put, closeAll } = setUp({ aggregate, unit: 'kW' })
    for (let i = 0; i < 15; i++) put(i * minute, 1 + (i % 3 === 2 ? 2 : i % 3 === 1 ? 1 : 0))
    put(14 * minute + 50_000, 2)
    const closed = closeAll()
    expect(closed).toMatchObject([{ interval: first, quality: quality.measured, isCorrection: false }])
    if (aggregate === 'sum') expect(closed[0]?.value).toBe(32)
    else expect(closed[0]?.value).toBeCloseTo(value)
  })

  test('scale and units are applied once', () => {
    const { put, closeAll } = setUp({ aggregate: 'energy', unit: 'W', to: 'kWh', scale: 10 })
    for (let i = 0; i < 15; i++) put(i * minute, 400)
    expect(closeAll()[0]?.value).toBeCloseTo(1)
  })

  test.each([
    [14, quality.measured],
    [13, quality.estimated],
    [8, quality.estimated],
    [7, quality.suspect],
    [1, quality.suspect],
  ])('%i of 15 samples give quality %i', (samples, code) => {
    const { put, closeAll } = setUp({ aggregate: 'mean' })
    for (let i = 0; i < samples; i++) put(i * minute, 1)
    expect(closeAll()[0]?.quality).toBe(code)
  })

  test('it stays open for the grace, by the series itself or by quiet time', () => {
    const { put, close } = setUp({ aggregate: 'mean', graceMs: 2 * minute })
    put(0, 1)
    expect(close(interval + 2 * minute - 1, 1e9)).toEqual([])
    expect(close(interval + 2 * minute, minute)).toEqual([])
    expect(close(interval + 2 * minute, 2 * minute)).toHaveLength(1)
    put(interval, 1)
    put(2 * interval + minute, 1)
    expect(close(0)).toEqual([])
    put(2 * interval + 2 * minute, 1)
    expect(close(0)).toMatchObject([{ interval: first + 1 }])
  })

  test('a sample that comes twice counts once', () => {
    const { put, closeAll } = setUp({ aggregate: 'sum' })
    expect([put(0, 5), put(0, 5), put(minute, 1), put(0, 5)]).toEqual([
      'taken',
      'repeated',
      'taken',
      'repeated',
    ])
    expect(closeAll()[0]?.value).toBe(6)
  })

  test('a late sample within the grace counts, and one after it corrects what was sent', () => {
    const { put, close, closeAll } = setUp({ aggregate: 'mean' })
    put(2 * minute, 4)
    expect(put(minute, 2)).toBe('late')
    expect(closeAll()).toMatchObject([{ value: 3 }])
    expect(put(0, 0)).toBe('corrected')
    expect(close(0, 0)).toEqual([])
    expect(closeAll()).toMatchObject([{ interval: first, value: 2, isCorrection: true }])
    expect(closeAll()).toEqual([])
  })

  test('an interval that was forgotten changes no more, one that was never sent still comes', () => {
    const { put, closeAll } = setUp({ aggregate: 'mean' })
    for (const i of [0, 1, 4, 5]) put(i * interval, i)
    expect(closeAll().map((each) => each.interval - first)).toEqual([0, 1, 4, 5])
    expect(put(minute, 9)).toBe('too late')
    expect(put(2 * interval, 2)).toBe('late')
    expect(put(-interval, 2)).toBe('late')
    expect(closeAll().map((each) => each.interval - first)).toEqual([-1, 2])
    expect(put(3 * interval, 2)).toBe('late')
  })
})

describe('a counter', () => {
  const counter = { aggregate: 'difference' as const, sampleEveryMs: 5 * minute }

  test('gives each interval what was used in it', () => {
    const { put, closeAll } = setUp({ ...counter, unit: 'Wh', to: 'kWh' })
    for (let i = 0; i <= 6; i++) put(i * 5 * minute, 1_000 + i * 100)
    expect(closeAll()).toMatchObject([
      { interval: first, value: 0.3, quality: quality.measured },
      { interval: first + 1, value: 0.3, quality: quality.measured },
    ])
  })

  test('is spread over a silence, as an estimate', () => {
    const { put, closeAll } = setUp(counter)
    put(0, 0)
    put(interval, 3)
    put(4 * interval, 9)
    expect(closeAll().map(({ value, quality: code }) => [value, code])).toEqual([
      [3, quality.estimated],
      [2, quality.estimated],
      [2, quality.estimated],
      [2, quality.estimated],
    ])
  })

  test('says nothing about the time in which it was replaced', () => {
    const { put, closeAll } = setUp(counter)
    put(0, 900)
    expect(put(5 * minute, 10)).toBe('reset')
    expect(put(10 * minute, 15)).toBe('taken')
    expect(put(15 * minute, 20)).toBe('taken')
    const [only] = closeAll()
    expect(only).toMatchObject({ quality: quality.estimated })
    expect(only?.value).toBeCloseTo(15)
  })

  test('rolls over at its highest value, and only near it', () => {
    const { put, closeAll } = setUp({ ...counter, counterMax: 1_000 })
    put(0, 990)
    expect(put(5 * minute, 5)).toBe('rolled over')
    put(15 * minute, 10)
    expect(closeAll()[0]?.value).toBeCloseTo(20)
    expect(put(20 * minute, 2)).toBe('reset')
  })

  test('a state that is late, or comes twice, changes nothing', () => {
    const { put, closeAll } = setUp(counter)
    put(0, 0)
    put(15 * minute, 3)
    expect([put(5 * minute, 1), put(15 * minute, 3)]).toEqual(['late', 'repeated'])
    expect(closeAll()).toMatchObject([{ value: 3 }])
  })

  test('after a day of silence it begins anew', () => {
    const { put, closeAll } = setUp(counter)
    put(0, 0)
    expect(put(25 * 3_600_000, 100)).toBe('unbridged')
    expect(closeAll()).toEqual([])
  })

  test('whatever its samples, its readings add up to what it counted', () => {
    const steps = fc.array(
      fc.tuple(fc.integer({ min: 1, max: 3 * interval }), fc.integer({ min: 0, max: 1_000 })),
      {
        minLength: 1,
        maxLength: 60,
      },
    )
    fc.assert(
      fc.property(steps, (all) => {
        const { put, closeAll } = setUp(counter)
        let at = 0
        let value = 0
        put(at, value)
        for (const [ms, used] of all) {
          at += ms
          value += used
          put(at, value)
        }
        // Up to the end of an interval, so that nothing is filled up in proportion.
        put(Math.ceil(at / interval + 1) * interval, value)
        const sum = closeAll().reduce((total, each) => total + each.value, 0)
        expect(Math.abs(sum - value)).toBeLessThan(1e-6 * (1 + value))
      }),
      { seed: 7, numRuns: 300 },
    )
  })
})

test('in whatever order samples come within the grace, the readings are the same', () => {
  const samples = fc.uniqueArray(
    fc.tuple(fc.integer({ min: 0, max: 59 }), fc.integer({ min: 0, max: 100 })),
    {
      selector: ([at]) => at,
      minLength: 1,
    },
  )
  fc.assert(
    fc.property(samples, fc.infiniteStream(fc.nat()), (all, order) => {
      const readingsOf = (list: typeof all) => {
        const { put, closeAll } = setUp({ aggregate: 'mean' })
        for (const [at, value] of list) put(at * minute, value)
        return closeAll().map(({ interval: number, value, quality: code }) => [
          number,
          value.toFixed(9),
          code,
        ])
      }
      const shuffled = all
        .map((each) => [order.next().value ?? 0, each] as const)
        .toSorted(([a], [b]) => a - b)
      expect(readingsOf(shuffled.map(([, each]) => each))).toEqual(readingsOf(all))
    }),
    { seed: 11, numRuns: 200 },
  )
})
