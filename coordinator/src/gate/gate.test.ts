import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { errorSumsOf, metricsOf, type ErrorSums } from '@imlma/protocol/metrics'
import { decisionSchema } from '../registry/events.ts'
import { standardChecks, type GateCheck } from './checks.ts'
import type { Contest, Evaluation } from './evaluation.ts'
import { decide } from './gate.ts'
import { hashRows } from './rows.crypto.ts'

const actuals = Array.from({ length: 400 }, (_, index) => 10 + 5 * Math.sin(index / 7))
const errorsOf = (noise: number): ErrorSums =>
  errorSumsOf(
    actuals.map((actual, index) => actual + noise * Math.cos(index * 1.7)),
    actuals,
  )

const model = (noise: number, changes: Partial<Evaluation> = {}): Evaluation => ({
  version: 1,
  learner: 'ridge',
  errors: errorsOf(noise),
  rows: 400,
  rowsSha256: 'a'.repeat(64),
  trainEnd: 1_000,
  ...changes,
})
const contest = (changes: Partial<Contest> = {}): Contest => ({
  champion: model(1),
  challenger: model(0.8, { version: 2 }),
  window: { start: 1_000, end: 2_000 },
  ...changes,
})

describe('the gate', () => {
  test('promotes a challenger that is strictly better in MSE, MAE and R², with both numbers of each', () => {
    const decision = decide(contest())
    expect(decision.verdict).toBe('promote')
    expect(decisionSchema.parse(decision)).toEqual(decision)
    for (const name of ['mse', 'mae', 'r2'] as const) {
      expect(decision.checks.find((check) => check.name === name)).toMatchObject({
        passed: true,
        champion: metricsOf(errorsOf(1))[name],
        challenger: metricsOf(errorsOf(0.8))[name],
      })
    }
    expect(decision.reasons).toHaveLength(standardChecks.length)
  })

  test('rejects a challenger that is as good as the champion', () => {
    expect(decide(contest({ challenger: model(1) })).verdict).toBe('reject')
  })

  test.each(['squaredErrorSum', 'absoluteErrorSum'] as const)(
    'rejects a challenger whose %s alone is not better',
    (sum) => {
      const challenger = model(0.8, { errors: { ...errorsOf(0.8), [sum]: errorsOf(1)[sum] } })
      const { verdict, reasons } = decide(contest({ challenger }))
      expect(verdict).toBe('reject')
      expect(reasons.join()).toMatch(sum === 'squaredErrorSum' ? /MSE is not lower/ : /MAE is not lower/)
    },
  )

  test.each(['champion', 'challenger'] as const)(
    'rejects on a window that overlaps the training of the %s',
    (side) => {
      const noise = side === 'champion' ? 1 : 0.8
      const decision = decide(contest({ [side]: model(noise, { trainEnd: 1_001 }) }))
      expect(decision.verdict).toBe('reject')
      expect(decision.reasons[0]).toMatch(/^WINDOW_OVERLAPS_TRAINING/)
    },
  )

  test('rejects an empty window', () => {
    expect(decide(contest({ window: { start: 1_000, end: 1_000 } })).verdict).toBe('reject')
  })

  test.each([
    ['another hash', { rowsSha256: 'b'.repeat(64) }],
    ['another number of rows', { rows: 399 }],
    ['another number of values', { errors: { ...errorsOf(0.8), count: 399 } }],
  ])('rejects on different rows: %s', (_, changes) => {
    const decision = decide(contest({ challenger: model(0.8, changes) }))
    expect(decision.verdict).toBe('reject')
    expect(decision.reasons[0]).toMatch(/^DIFFERENT_ROWS/)
  })

  test.each([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])(
    'rejects a challenger whose errors are %s, and can still be recorded',
    (squaredErrorSum) => {
      const decision = decide(
        contest({ challenger: model(0.8, { errors: { ...errorsOf(0.8), squaredErrorSum } }) }),
      )
      expect(decision.verdict).toBe('reject')
      expect(decision.reasons[0]).toMatch(/^NOT_FINITE: the challenger/)
      expect(decision.challenger.mse).toBeNull()
      expect(() => decisionSchema.parse(decision)).not.toThrow()
    },
  )

  test('concludes nothing from too few rows, however good they look', () => {
    const decision = decide(contest({ challenger: model(0.1) }), { pairsMin: 401 })
    expect(decision.verdict).toBe('inconclusive')
    expect(decision.reasons).toEqual(['TOO_FEW_ROWS: 400 forecast values, 401 are needed'])
  })

  test('concludes nothing where the actuals do not vary, and nothing from no rows at all', () => {
    const flat = Array.from({ length: 400 }, () => 7)
    const at = (error: number): ErrorSums =>
      errorSumsOf(
        flat.map((value) => value + error),
        flat,
      )
    const decision = decide(
      contest({ champion: model(1, { errors: at(1) }), challenger: model(1, { errors: at(0.5) }) }),
    )
    expect(decision.verdict).toBe('inconclusive')
    expect(decision.reasons[0]).toMatch(/^R2_UNDEFINED/)
    const none = model(1, { errors: errorSumsOf([], []), rows: 0 })
    expect(decide(contest({ champion: none, challenger: none })).verdict).toBe('inconclusive')
  })

  test('compares R² below zero the right way round', () => {
    const [worse, bad] = [model(30), model(20)]
    expect(metricsOf(bad.errors).r2).toBeLessThan(0)
    expect(decide(contest({ champion: worse, challenger: bad })).verdict).toBe('promote')
    expect(decide(contest({ champion: bad, challenger: worse })).verdict).toBe('reject')
  })

  test('takes the seasonal-naive baseline where there is no champion', () => {
    const champion = model(1, { version: null, learner: 'seasonal-naive', trainEnd: null })
    const decision = decide(contest({ champion }))
    expect(decision.verdict).toBe('promote')
    expect(decision.champion).toMatchObject({ version: null, learner: 'seasonal-naive' })
  })

  test('a further check joins the list and the first that fails decides', () => {
    const failing = (otherwise: GateCheck['otherwise']): GateCheck => ({
      name: 'significance',
      otherwise,
      look: () => ({ passed: false, champion: null, challenger: 0.3, detail: 'p = 0.3' }),
    })
    expect(decide(contest(), {}, [...standardChecks, failing('inconclusive')])).toMatchObject({
      verdict: 'inconclusive',
      reasons: ['p = 0.3'],
    })
    const worse = contest({ challenger: model(2) })
    expect(decide(worse, {}, [...standardChecks, failing('inconclusive')]).verdict).toBe('reject')
  })

  test('never promotes both ways, and never on equal errors', () => {
    fc.assert(
      fc.property(
        fc.double({ min: 0, max: 50, noNaN: true }),
        fc.double({ min: 0, max: 50, noNaN: true }),
        (a, b) => {
          const forth = decide(contest({ champion: model(a), challenger: model(b) })).verdict
          const back = decide(contest({ champion: model(b), challenger: model(a) })).verdict
          expect(forth === 'promote' && back === 'promote').toBe(false)
          expect(decide(contest({ champion: model(a), challenger: model(a) })).verdict).not.toBe('promote')
        },
      ),
      { numRuns: 50 },
    )
  })
})

test('rows have the same name exactly when meters, origins and actuals are the same', () => {
  const rows = {
    rowMeters: ['m-1', 'm-2'],
    origins: new Float64Array([1, 2]),
    actuals: new Float32Array([3, 4]),
  }
  expect(hashRows({ ...rows, origins: rows.origins.slice() })).toBe(hashRows(rows))
  expect(hashRows({ ...rows, rowMeters: ['m-1', 'm-3'] })).not.toBe(hashRows(rows))
  expect(hashRows({ ...rows, origins: new Float64Array([1, 3]) })).not.toBe(hashRows(rows))
  expect(hashRows({ ...rows, actuals: new Float32Array([3, 5]) })).not.toBe(hashRows(rows))
})
