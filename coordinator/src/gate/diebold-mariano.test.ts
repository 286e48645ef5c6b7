import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  dieboldMariano,
  differenceInterval,
  longRunVariance,
  relativeDieboldMariano,
  smallSampleFactor,
} from './diebold-mariano.ts'
import { lossSeriesOf, toLossSeries } from './loss-series.ts'

/** Differences 3, 1, 2, 0, 4. */
const five = lossSeriesOf([5, 3, 4, 2, 6], [2, 2, 2, 2, 2], 1)
const losses = fc.array(fc.double({ min: 0, max: 10, noNaN: true }), { minLength: 8, maxLength: 40 })

describe('the Diebold-Mariano test', () => {
  test('gives the numbers worked out by hand', () => {
    // Deviations 1, −1, 0, −2, 2: γ₀ = 10/5, γ₁ = (−1 + 0 + 0 − 4)/5; with L = 1: 2 + 2 · ½ · (−1) = 1, over 5 bins.
    expect(longRunVariance([1, -1, 0, -2, 2], 1, 5)).toBeCloseTo(1, 12)
    // h = 2: (5 + 1 − 4 + 2/5) / 5
    expect(smallSampleFactor(5, 2)).toBeCloseTo(Math.sqrt(0.48), 12)
    const { statistic, p, difference, bins, bandwidth } = dieboldMariano(five, 1)
    expect({ difference, bins, bandwidth }).toEqual({ difference: 2, bins: 5, bandwidth: 1 })
    expect(statistic).toBeCloseTo(2 * Math.sqrt(5) * Math.sqrt(0.48), 12)
    // SciPy: t.sf(3.0983866769659336, 4)
    expect(p).toBeCloseTo(0.01813891226094956, 12)
  })

  test('without lags is the t-test with the factor for one step', () => {
    const { statistic } = dieboldMariano(five, 0)
    expect(statistic).toBeCloseTo((2 / Math.sqrt(2 / 5)) * Math.sqrt(4 / 5), 12)
  })

  test('limits lie around the difference, each at one quantile of its standard error', () => {
    const found = dieboldMariano(five, 1)
    const [low, high] = differenceInterval(found, 0.05)
    expect((low + high) / 2).toBeCloseTo(2, 12)
    // t.ppf(.95, 4) = 2.1318467863266495
    expect(high - 2).toBeCloseTo(2.1318467863266495 / Math.sqrt(5 * 0.48), 8)
  })

  test('swapping the models mirrors the statistic and its p', () => {
    fc.assert(
      fc.property(losses, losses, fc.integer({ min: 0, max: 12 }), (a, b, bandwidth) => {
        const length = Math.min(a.length, b.length)
        const [one, other] = [a.slice(0, length), b.slice(0, length)]
        const forth = dieboldMariano(lossSeriesOf(one, other, 1), bandwidth)
        const back = dieboldMariano(lossSeriesOf(other, one, 1), bandwidth)
        if (!Number.isFinite(forth.statistic) || Math.abs(forth.statistic) > 1e6) return
        expect(back.statistic).toBeCloseTo(-forth.statistic, 6)
        expect(back.p).toBeCloseTo(1 - forth.p, 8)
      }),
      { seed: 3, numRuns: 200 },
    )
  })

  test('does not depend on the scale of the losses', () => {
    const large = dieboldMariano(lossSeriesOf([5e6, 3e6, 4e6, 2e6, 6e6], [2e6, 2e6, 2e6, 2e6, 2e6], 1), 1)
    expect(large.statistic).toBeCloseTo(dieboldMariano(five, 1).statistic, 9)
  })

  test('says nothing of equal losses, all of a constant gain, and nothing when the lags fill the sample', () => {
    expect(dieboldMariano(lossSeriesOf([1, 2, 3], [1, 2, 3], 1), 1)).toMatchObject({ statistic: 0, p: 0.5 })
    expect(dieboldMariano(lossSeriesOf([2, 3, 4], [1, 2, 3], 1), 1)).toMatchObject({
      statistic: Infinity,
      p: 0,
    })
    expect(dieboldMariano(five, 50)).toMatchObject({ statistic: 0, p: 0.5, bandwidth: 4 })
    expect(dieboldMariano(lossSeriesOf([2], [1], 1), 0).p).toBe(0.5)
  })
})

describe('the test on the ratio', () => {
  test('gives the numbers worked out by hand', () => {
    // Means 4 and 2: deviations (5, 3, 4, 2, 6)/4 − 1 = ¼, −¼, 0, −½, ½; γ₀ = 1/8, γ₁ = (−1/16 − 1/4)/5 = −1/16.
    const { statistic, difference } = relativeDieboldMariano(five, 1)
    expect(difference).toBeCloseTo(Math.log(2), 12)
    expect(statistic).toBeCloseTo((Math.log(2) / Math.sqrt((1 / 8 - 1 / 16) / 5)) * Math.sqrt(0.48), 10)
  })

  test('is the test on the difference where models hardly differ', () => {
    const one = Array.from({ length: 300 }, (_, i) => 10 + Math.sin(i * 1.3))
    const other = Array.from({ length: 300 }, (_, i) => 9.99 + Math.sin(i * 1.7))
    const series = lossSeriesOf(one, other, 1)
    expect(relativeDieboldMariano(series, 5).statistic / dieboldMariano(series, 5).statistic).toBeCloseTo(
      1,
      2,
    )
  })

  test('is not in doubt because some days are hard for both', () => {
    const hard = Array.from({ length: 14 }, (_, i) => (i % 7 === 5 ? 20 + i : 1) + 0.1 * Math.sin(i * 2.1))
    const series = lossSeriesOf(
      hard,
      hard.map((loss, i) => loss * (0.5 + 0.02 * Math.cos(i * 1.1))),
      1,
    )
    expect(dieboldMariano(series, 1).p).toBeGreaterThan(0.01)
    expect(relativeDieboldMariano(series, 1).p).toBeLessThan(1e-6)
  })

  test('swapping the models mirrors it, also where one makes no error', () => {
    const flawless = lossSeriesOf([1, 2, 4], [0, 0, 0], 1)
    expect(relativeDieboldMariano(flawless, 0)).toEqual(dieboldMariano(flawless, 0))
    fc.assert(
      fc.property(losses, losses, (a, b) => {
        const length = Math.min(a.length, b.length)
        const [one, other] = [a.slice(0, length), b.slice(0, length)].map((list) => list.map((x) => x + 0.1))
        const forth = relativeDieboldMariano(lossSeriesOf(one ?? [], other ?? [], 1), 2)
        const back = relativeDieboldMariano(lossSeriesOf(other ?? [], one ?? [], 1), 2)
        // Losses that differ only in their last digits differ by rounding.
        if (!Number.isFinite(forth.statistic) || Math.abs(forth.difference) < 1e-6) return
        if (Math.abs(forth.statistic) < 1e4) expect(back.statistic).toBeCloseTo(-forth.statistic, 6)
      }),
      { seed: 5, numRuns: 100 },
    )
  })

  test('takes no more degrees of freedom than there are independent observations', () => {
    expect(relativeDieboldMariano(five, 1, 3).freedom).toBe(2)
    expect(relativeDieboldMariano(five, 1, 1).p).toBe(0.5)
  })
})

describe('losses of many rows', () => {
  test('are pooled by bin, and unevenly spread rows keep their weight', () => {
    const series = toLossSeries(
      { origins: [120, 10, 20, 130], champion: [4, 1, 2, 8], challenger: [1, 1, 1, 1] },
      50,
    )
    expect([...series.counts]).toEqual([2, 0, 2])
    expect([...series.champion]).toEqual([3, 0, 12])
    expect(dieboldMariano(series, 0)).toMatchObject({ difference: 15 / 4 - 1, bins: 2 })
    expect(dieboldMariano(series, 0).bandwidth).toBe(0)
  })

  test('of many meters that are wrong together count no more than one', () => {
    const origins = Array.from({ length: 40 }, (_, i) => i * 100)
    const champion = origins.map((_, i) => 2 + Math.sin(i * 1.7))
    const challenger = origins.map((_, i) => 1.9 + Math.cos(i * 2.3))
    const one = dieboldMariano(toLossSeries({ origins, champion, challenger }, 100), 3)
    const copies = <Value>(values: readonly Value[]) => Array.from({ length: 9 }, () => values).flat()
    const nine = dieboldMariano(
      toLossSeries(
        { origins: copies(origins), champion: copies(champion), challenger: copies(challenger) },
        100,
      ),
      3,
    )
    expect(nine.statistic).toBeCloseTo(one.statistic, 10)
  })

  test('without a member are an empty series', () => {
    const rows = { origins: [1, 2], champion: [1, 1], challenger: [1, 1] }
    expect(toLossSeries(rows, 10, new Uint8Array(2)).counts).toHaveLength(0)
  })
})
