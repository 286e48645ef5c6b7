import { describe, expect, test } from 'vitest'
import { createMedianRule, createSuccessiveHalving, type Pruner } from './pruner.ts'

/** Runs whole learning curves one after the other and says how far each one came. */
const run = (pruner: Pruner, curves: readonly (readonly number[])[]): readonly number[] =>
  curves.map((curve, trial) => {
    const stop = curve.findIndex((value, epoch) => pruner.report(trial, epoch + 1, value) === 'stop')
    return stop < 0 ? curve.length : stop + 1
  })

const flat = (value: number, length = 9): readonly number[] => Array.from({ length }, () => value)

describe('the median rule', () => {
  test('a trial worse than the median is stopped, a better one goes on', () => {
    const curves = [1, 2, 3, 4, 3.5, 2.4].map((value) => flat(value))
    expect(run(createMedianRule(), curves)).toEqual([9, 9, 9, 9, 1, 9])
  })

  test('nobody is stopped before enough others came as far', () => {
    expect(run(createMedianRule({ trialsMin: 3 }), [flat(1), flat(1), flat(9)])).toEqual([9, 9, 9])
    expect(run(createMedianRule({ trialsMin: 2 }), [flat(1), flat(1), flat(9)])).toEqual([9, 9, 1])
  })

  test('nobody is stopped before the smallest resource', () => {
    const curves = [...Array.from({ length: 4 }, () => flat(1)), flat(2)]
    expect(run(createMedianRule({ resourceMin: 5 }), curves).at(-1)).toBe(5)
  })

  test('the best value so far counts, not a bad last one', () => {
    const curves = [...Array.from({ length: 4 }, () => flat(1)), [0.5, 3, 3, 3]]
    expect(run(createMedianRule(), curves).at(-1)).toBe(4)
  })

  test('others are compared at the same resource, not at their end', () => {
    const learning = [9, 5, 1]
    expect(run(createMedianRule(), [...Array.from({ length: 4 }, () => learning), [8, 4, 0.5]]).at(-1)).toBe(
      3,
    )
  })

  test('a value that is no number stops a trial and is not compared with', () => {
    const pruner = createMedianRule()
    expect(pruner.report(0, 1, Number.NaN)).toBe('stop')
    expect(pruner.report(1, 1, Infinity)).toBe('stop')
    expect(pruner.reports).toEqual([])
  })

  test('a pruner that is begun again with its reports answers the same', () => {
    const first = createMedianRule()
    run(first, [flat(1), flat(1), flat(1), flat(1)])
    const again = createMedianRule({ reports: structuredClone(first.reports) })
    expect(again.report(9, 1, 2)).toBe('stop')
    expect(createMedianRule().report(9, 1, 2)).toBe('continue')
  })
})

describe('successive halving', () => {
  test('about one in three goes on at each rung when better and worse come mixed', () => {
    const values = Array.from({ length: 81 }, (_, i) => ((i * 37) % 81) / 81)
    const lengths = run(
      createSuccessiveHalving({ resourceMin: 1 }),
      values.map((value) => flat(value)),
    )
    const beyond = (epochs: number) => lengths.filter((length) => length > epochs).length
    expect(beyond(1)).toBeGreaterThan(20)
    expect(beyond(1)).toBeLessThan(40)
    expect(beyond(3)).toBeGreaterThan(2)
    expect(beyond(3)).toBeLessThan(20)
    expect(lengths[values.indexOf(0)]).toBe(9)
  })

  test('between rungs nobody is stopped', () => {
    const pruner = createSuccessiveHalving({ resourceMin: 1, factor: 3 })
    for (let trial = 0; trial < 9; trial++) pruner.report(trial, 1, trial)
    pruner.report(20, 1, -1)
    expect(pruner.report(20, 2, 99)).toBe('continue')
  })

  test('before the first rung nobody is stopped', () => {
    const pruner = createSuccessiveHalving({ resourceMin: 4 })
    for (let trial = 0; trial < 9; trial++) pruner.report(trial, 4, 0)
    expect(pruner.report(20, 3, 99)).toBe('continue')
    expect(pruner.report(20, 4, 99)).toBe('stop')
  })

  test('growing data are a resource like epochs', () => {
    const pruner = createSuccessiveHalving({ resourceMin: 1_000, factor: 10 })
    for (let trial = 0; trial < 10; trial++) pruner.report(trial, 10_000, trial)
    expect(pruner.report(20, 10_000, 5)).toBe('stop')
    expect(pruner.report(21, 10_000, -1)).toBe('continue')
  })
})
