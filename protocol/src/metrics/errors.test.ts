import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { errorSumsOf, mergeErrorSums, metricsOf, noErrors, skillOf } from './errors.ts'

const pairs = fc.array(
  fc.tuple(fc.double({ min: -1e4, max: 1e4, noNaN: true }), fc.double({ min: -1e4, max: 1e4, noNaN: true })),
  {
    minLength: 2,
    maxLength: 60,
  },
)

describe('error sums', () => {
  test('give the figures of the textbook', () => {
    const metrics = metricsOf(errorSumsOf([2, 4, 6], [1, 5, 9]))
    // errors 1, −1, −3; the actuals' mean is 5, their squares sum to 32
    expect(metrics).toEqual({
      count: 3,
      mse: 11 / 3,
      mae: 5 / 3,
      rmse: Math.sqrt(11 / 3),
      r2: 1 - 11 / 32,
      bias: -1,
    })
  })

  test('merge to the figures over all pairs at once', () => {
    fc.assert(
      fc.property(pairs, pairs, (first, second) => {
        const sumsOf = (list: readonly (readonly [number, number])[]) =>
          errorSumsOf(
            list.map(([forecast]) => forecast),
            list.map(([, actual]) => actual),
          )
        const merged = metricsOf(mergeErrorSums(sumsOf(first), sumsOf(second)))
        const whole = metricsOf(sumsOf([...first, ...second]))
        expect(merged.count).toBe(whole.count)
        expect(merged.mse).toBeCloseTo(whole.mse as number, 4)
        expect(merged.mae).toBeCloseTo(whole.mae as number, 6)
        expect(merged.bias).toBeCloseTo(whole.bias as number, 6)
        if (whole.r2 !== null && whole.r2 > -1e6) expect(merged.r2).toBeCloseTo(whole.r2, 3)
      }),
      { seed: 7, numRuns: 200 },
    )
  })

  test('keep R² exact for values far from zero', () => {
    const actuals = [5e7, 5e7 + 1, 5e7 + 2]
    expect(
      metricsOf(
        errorSumsOf(
          actuals.map((actual) => actual + 1),
          actuals,
        ),
      ).r2,
    ).toBeCloseTo(1 - 3 / 2, 9)
  })

  test('let R² fall below zero for a forecast worse than the mean', () => {
    expect(metricsOf(errorSumsOf([9, 0], [0, 9])).r2).toBe(1 - 162 / 40.5)
  })

  test('leave R² undefined where the actuals are constant', () => {
    expect(metricsOf(errorSumsOf([1, 2, 3], [0.1, 0.1, 0.1])).r2).toBeNull()
    expect(metricsOf(errorSumsOf([1, 2], [0, 0])).r2).toBeNull()
  })

  test('do not count a pair with a missing side', () => {
    expect(errorSumsOf([1, Number.NaN, 3], [1, 2, Number.NaN]).count).toBe(1)
    expect(metricsOf(noErrors)).toEqual({ count: 0, mse: null, mae: null, rmse: null, r2: null, bias: null })
  })

  test('say skill against a baseline only over the same pairs', () => {
    const baseline = errorSumsOf([2, 2], [0, 0])
    expect(skillOf(errorSumsOf([1, 1], [0, 0]), baseline)).toBe(0.75)
    expect(skillOf(errorSumsOf([4, 4], [0, 0]), baseline)).toBe(-3)
    expect(skillOf(errorSumsOf([1], [0]), baseline)).toBeNull()
    expect(skillOf(baseline, errorSumsOf([0, 0], [0, 0]))).toBeNull()
  })
})
