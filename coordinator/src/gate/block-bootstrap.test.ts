import { expect, test } from 'vitest'
import { createRandom } from '../tuning/random.ts'
import { blockBootstrap, gainOf } from './block-bootstrap.ts'
import { lossSeriesOf } from './loss-series.ts'

const bins = 240
const wave = (level: number, rate: number) =>
  Array.from({ length: bins }, (_, i) => level + 0.5 * Math.sin(i * rate))
const options = { blockBins: 24, resamples: 999, tail: 0.05 }

test('the same seed gives the same result to the last digit, another seed another one', () => {
  const series = lossSeriesOf(wave(1, 0.9), wave(0.97, 1.3), 1)
  const once = blockBootstrap(series, options, createRandom(7))
  expect(blockBootstrap(series, options, createRandom(7))).toEqual(once)
  expect(blockBootstrap(series, options, createRandom(8))).not.toEqual(once)
})

test('a clear gain is better in every resample, a clear loss in none', () => {
  const better = blockBootstrap(lossSeriesOf(wave(2, 0.9), wave(1, 0.9), 1), options, createRandom(1))
  expect(better.p).toBe(1 / 1_000)
  expect(better.gain).toBeCloseTo(0.5, 2)
  expect(better.interval[0]).toBeGreaterThan(0.4)
  expect(better.interval[1]).toBeLessThan(0.6)
  expect(blockBootstrap(lossSeriesOf(wave(1, 0.9), wave(2, 0.9), 1), options, createRandom(1)).p).toBe(1)
})

test('equal losses are never better', () => {
  const { p, gain } = blockBootstrap(lossSeriesOf(wave(1, 0.9), wave(1, 0.9), 1), options, createRandom(1))
  expect({ p, gain }).toEqual({ p: 1, gain: 0 })
})

test('the spread of independent bins is that of their mean', () => {
  const random = createRandom(5)
  const noise = Array.from({ length: 2_000 }, () => 10 + random.normal())
  const series = lossSeriesOf(
    noise.map(() => 10),
    noise,
    1,
  )
  const { interval } = blockBootstrap(series, { ...options, blockBins: 10 }, createRandom(2))
  // Two times 1.645 standard errors of 1/√2000, relative to 10.
  expect((interval[1] - interval[0]) / ((2 * 1.645) / Math.sqrt(2_000) / 10)).toBeCloseTo(1, 0.7)
})

test('longer blocks see what hangs together and widen the interval', () => {
  const random = createRandom(9)
  let value = 0
  const correlated = Array.from({ length: 2_000 }, () => {
    value = 0.9 * value + random.normal()
    return 10 + value
  })
  const series = lossSeriesOf(
    correlated.map(() => 10),
    correlated,
    1,
  )
  const widthOf = (blockBins: number) => {
    const { interval } = blockBootstrap(series, { ...options, blockBins }, createRandom(2))
    return interval[1] - interval[0]
  }
  expect(widthOf(50)).toBeGreaterThan(2 * widthOf(1))
})

test('a model without any error gains nothing from another one', () => {
  expect(gainOf(0, 0)).toBe(0)
  expect(gainOf(0, 1)).toBe(-Infinity)
  expect(gainOf(4, 3)).toBe(0.25)
})
