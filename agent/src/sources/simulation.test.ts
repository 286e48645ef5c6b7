import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { dayMs } from '@imlma/protocol/series'
import type { FeedBlock } from './feed.ts'
import { createSimulation } from './simulation.ts'
import { createSimulatedFeed } from './simulated.ts'

const interval = 900_000
const start = Date.UTC(2024, 0, 1)
const options = { seed: 3, intervalMs: interval }
const year = createSimulation(options).read('meter-001', start, 366 * 96)
const mean = (values: Float32Array) => values.reduce((sum, value) => sum + value, 0) / values.length
const correlationAtLag = (values: Float32Array, lag: number) => {
  const centre = mean(values)
  let [own, shared] = [0, 0]
  for (let i = lag; i < values.length; i++) {
    own += ((values[i] as number) - centre) ** 2
    shared += ((values[i] as number) - centre) * ((values[i - lag] as number) - centre)
  }
  return shared / own
}

describe('simulated meters', () => {
  test('are the same whatever the parts in which they are computed', () => {
    fc.assert(
      fc.property(fc.nat(20_000), fc.integer({ min: 1, max: 400 }), (from, count) => {
        const again = createSimulation(options).read('meter-001', start + from * interval, count)
        expect(again).toEqual(year.subarray(from, from + count))
      }),
      { seed: 11, numRuns: 30 },
    )
  })

  test('differ by meter and by seed', () => {
    const read = (seed: number, meter: string) => [
      ...createSimulation({ ...options, seed }).read(meter, start, 96),
    ]
    expect(read(3, 'meter-001')).not.toEqual(read(3, 'meter-002'))
    expect(read(3, 'meter-001')).not.toEqual(read(4, 'meter-001'))
  })

  test('use energy in days and weeks, more of it in winter, never less than nothing', () => {
    expect(Math.min(...year)).toBeGreaterThan(0)
    expect(correlationAtLag(year, 96)).toBeGreaterThan(0.6)
    expect(correlationAtLag(year, 48)).toBeLessThan(0.4)
    const dayOf = (day: number, days: number) => mean(year.subarray(day * 96, (day + days) * 96))
    expect(dayOf(0, 56)).toBeGreaterThan(1.1 * dayOf(150, 56))
  })

  test('have one weather for the whole site, with spells of days', () => {
    const daily = Float32Array.from({ length: 366 }, (_, day) =>
      mean(createSimulation(options).temperature(start + day * dayMs, 96)),
    )
    expect(mean(daily.subarray(180, 220))).toBeGreaterThan(mean(daily.subarray(0, 40)) + 8)
    expect(correlationAtLag(daily, 1)).toBeGreaterThan(0.8)
    expect([Math.min(...daily), Math.max(...daily)].every((degrees) => degrees > -25 && degrees < 45)).toBe(
      true,
    )
  })

  test('change for good where it is asked for', () => {
    const changed = createSimulation({
      ...options,
      changes: [{ from: start + dayMs, gain: 2, meters: ['meter-001'] }],
    })
    const [before, after] = [
      changed.read('meter-001', start, 96),
      changed.read('meter-001', start + dayMs, 96),
    ]
    expect(before).toEqual(year.subarray(0, 96))
    expect(mean(after) / mean(year.subarray(96, 192))).toBeCloseTo(2, 2)
  })

  test('come as blocks without a gap, the weather beside them', () => {
    const feed = createSimulatedFeed({
      meters: 2,
      temperatureRegister: 'temperature',
      intervalMs: interval,
      seed: 3,
    })
    expect(feed.series.map(({ meter, register }) => [meter, register])).toEqual([
      ['meter-001', '1-0:1.29.0'],
      ['meter-002', '1-0:1.29.0'],
      ['weather', 'temperature'],
    ])
    const [first, second] = feed.blocks(start + 1) as Iterable<FeedBlock>
    expect(first?.start).toBe(start)
    expect(second?.start).toBe(start + (first?.values[0]?.length ?? 0) * interval)
    expect(first?.values[0]).toEqual(year.subarray(0, first?.values[0]?.length))
  })
})
