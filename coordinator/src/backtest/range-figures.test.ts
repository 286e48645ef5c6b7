import { describe, expect, test } from 'vitest'
import { createRangeJudge } from './range-figures.ts'

describe('quantiles against what came', () => {
  test('lose by the probability on the side where the actual lay, as by hand', () => {
    const judge = createRangeJudge([0.1, 0.9], 1)
    judge.add([0, 10], [5]) // 0.1 · 5 and 0.1 · 5
    judge.add([0, 10], [12]) // 0.1 · 12 and 0.9 · 2
    expect(judge.figures()?.pinball).toBeCloseTo((0.5 + 0.5 + 1.2 + 1.8) / 4, 12)
    expect(judge.figures()?.coverage).toBe(0.5)
  })

  test('are read row by row, quantile by quantile, step by step', () => {
    const judge = createRangeJudge([0.1, 0.5, 0.9], 2)
    // Steps 1 and 2 of each quantile; the second row is ten higher.
    const row = [0, 100, 1, 101, 2, 102]
    judge.add([...row, ...row.map((value) => value + 10)], [0, 102, 12.5, 111])
    expect(judge.figures()?.coverage).toBe(0.75)
  })

  test('are not judged where nothing came', () => {
    const judge = createRangeJudge([0.5], 1)
    judge.add([1], [Number.NaN])
    expect(judge.figures()).toBeUndefined()
  })
})
