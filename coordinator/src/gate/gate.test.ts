import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { errorSumsOf, metricsOf } from '@imlma/protocol/metrics'
import { decisionSchema } from '../registry/events.ts'
import { standardChecks } from './checks.ts'
import type { GateCheck } from './condition.ts'
import type { Contest, Evaluation } from './evaluation.ts'
import { decide } from './gate.ts'
import { hashRows } from './rows.crypto.ts'
import { contestOf, hourMs, windowStart, type ContestRequest } from './testing/contest.ts'

const champion: ContestRequest['champion'] = ({ shared, own }) => shared + 0.3 * own
/** About 36 % lower MSE. */
const better: ContestRequest['challenger'] = ({ shared, own }) => 0.8 * (shared + 0.3 * own)
const clear = contestOf({ champion, challenger: better })

const changed = (side: 'champion' | 'challenger', changes: Partial<Evaluation>): Contest => ({
  ...clear,
  [side]: { ...clear[side], ...changes },
})
const checkOf = (contest: Contest, name: string) =>
  decide(contest).checks.find((check) => check.name === name)

describe('the gate', () => {
  test('promotes a clear improvement, with the numbers of every check', () => {
    const decision = decide(clear)
    expect(decision.verdict).toBe('promote')
    expect(decisionSchema.parse(decision)).toEqual(decision)
    for (const name of ['mse', 'mae', 'r2'] as const) {
      expect(decision.checks.find((check) => check.name === name)).toMatchObject({
        passed: true,
        champion: metricsOf(clear.champion.errors)[name],
        challenger: metricsOf(clear.challenger.errors)[name],
      })
    }
    expect(decision.checks.find(({ name }) => name === 'diebold-mariano-squared')?.numbers).toMatchObject({
      bins: 336,
      bandwidth: 24,
    })
    for (const loss of ['squared', 'absolute']) {
      for (const name of [`diebold-mariano-${loss}`, `block-bootstrap-${loss}`]) {
        expect(decision.checks.find((check) => check.name === name)?.numbers?.p).toBeLessThan(0.01)
      }
    }
    const { gain, low, high } = decision.checks.find(({ name }) => name === 'minimum-effect')?.numbers ?? {}
    expect(gain).toBeGreaterThan(low as number)
    expect(gain).toBeLessThan(high as number)
    expect(decision.reasons).toHaveLength(decision.checks.length)
  })

  test('decides the same again, to the last digit', () => {
    expect(decide(structuredClone(clear))).toEqual(decide(clear))
  })

  const table: readonly (readonly [string, ContestRequest, string, RegExp])[] = [
    [
      'the very same model',
      { champion: ({ shared }) => shared, challenger: ({ shared }) => shared },
      'reject',
      /MSE is not lower/,
    ],
    ['a worse one', { champion, challenger: ({ shared }) => 1.5 * shared }, 'reject', /MSE is not lower/],
    [
      'a slightly better one on few days',
      { champion, challenger: ({ shared, own }) => 0.97 * shared + 0.29 * own, days: 4 },
      'inconclusive',
      /NOT_SIGNIFICANT/,
    ],
    [
      'a gain too small to matter, known for certain',
      {
        champion: ({ shared }) => shared,
        challenger: ({ shared }) => 0.998 * shared,
        days: 60,
      },
      'reject',
      /EFFECT_TOO_SMALL/,
    ],
    [
      'one that is better on average and much worse on weekends',
      {
        champion: ({ shared }) => shared,
        challenger: ({ shared, hour }) => (Math.floor(hour / 24) % 7 >= 5 ? 1.5 : 0.3) * shared,
      },
      'reject',
      /SLICE_WORSE.*weekends/,
    ],
    [
      'one that is better on average and much worse at night',
      {
        champion: ({ shared }) => shared,
        challenger: ({ shared, hour }) => (hour % 24 < 6 ? 1.4 : 0.4) * shared,
      },
      'reject',
      /SLICE_WORSE.*0–6 h/,
    ],
    [
      'one that serves the largest of three meters better and a small one worse',
      {
        meters: 3,
        champion: ({ shared, meter }) => 10 ** meter * shared,
        challenger: ({ shared, meter }) => 10 ** meter * (meter === 0 ? 1.4 : 0.7) * shared,
      },
      'reject',
      /SLICE_WORSE.*meter m-0/,
    ],
    [
      'one that gains on one meter and loses on most',
      {
        meters: 3,
        champion: ({ shared, meter }) => 10 ** meter * shared,
        challenger: ({ shared, meter }) => 10 ** meter * (meter === 2 ? 0.7 : 1.02) * shared,
      },
      'inconclusive',
      /R² is higher for 1 of 3 meters/,
    ],
    [
      'one that doubles errors where there are none to speak of',
      {
        champion: ({ shared, hour }) => (hour % 24 < 6 ? 0.001 : 1) * shared,
        challenger: ({ shared, hour }) => (hour % 24 < 6 ? 0.002 : 0.8) * shared,
      },
      'promote',
      /both on the same/,
    ],
    [
      'two bad ones, of which the challenger is less bad',
      { champion: ({ shared }) => 30 * shared, challenger: ({ shared }) => 20 * shared },
      'promote',
      /both on the same/,
    ],
    [
      'two bad ones, of which the challenger is worse',
      { champion: ({ shared }) => 20 * shared, challenger: ({ shared }) => 30 * shared },
      'reject',
      /R² is not higher: -/,
    ],
    [
      'one that is better only by a single good day',
      {
        champion: ({ shared, hour }) => (hour < 24 ? 12 : 1) * shared,
        challenger: ({ shared }) => shared,
        days: 14,
      },
      'inconclusive',
      /NOT_SIGNIFICANT/,
    ],
    ['one judged on two days', { champion, challenger: better, days: 2 }, 'inconclusive', /TOO_FEW/],
  ]
  test.each(table)('%s', (_, request, verdict, reason) => {
    const decision = decide(contestOf(request))
    expect(decision.verdict).toBe(verdict)
    expect(decision.reasons.join('\n')).toMatch(reason)
    expect(decisionSchema.parse(decision)).toEqual(decision)
  })

  test.each(['squaredErrorSum', 'absoluteErrorSum'] as const)(
    'rejects a challenger whose %s alone is not better',
    (sum) => {
      const { errors } = clear.challenger
      const contest = changed('challenger', { errors: { ...errors, [sum]: clear.champion.errors[sum] } })
      const { verdict, reasons } = decide(contest)
      expect(verdict).toBe('reject')
      expect(reasons.join()).toMatch(sum === 'squaredErrorSum' ? /MSE is not lower/ : /MAE is not lower/)
    },
  )

  test.each(['champion', 'challenger'] as const)(
    'rejects on a window that overlaps the training of the %s',
    (side) => {
      const decision = decide(changed(side, { trainEnd: windowStart + 1 }))
      expect(decision.verdict).toBe('reject')
      expect(decision.reasons[0]).toMatch(/^WINDOW_OVERLAPS_TRAINING/)
    },
  )

  test('rejects an empty window', () => {
    expect(decide({ ...clear, window: { start: windowStart, end: windowStart } }).verdict).toBe('reject')
  })

  test.each([
    ['another hash', { rowsSha256: 'b'.repeat(64) }],
    ['another number of rows', { squaredErrors: [1], absoluteErrors: [1] }],
    ['another number of values', { errors: { ...clear.challenger.errors, count: 399 } }],
  ])('rejects on different rows: %s', (_, changes) => {
    const decision = decide(changed('challenger', changes))
    expect(decision.verdict).toBe('reject')
    expect(decision.reasons[0]).toMatch(/^DIFFERENT_ROWS/)
    expect(() => decisionSchema.parse(decision)).not.toThrow()
  })

  test.each([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])(
    'rejects a challenger whose errors are %s, and can still be recorded',
    (squaredErrorSum) => {
      const { errors } = clear.challenger
      const decision = decide(changed('challenger', { errors: { ...errors, squaredErrorSum } }))
      expect(decision.verdict).toBe('reject')
      expect(decision.reasons[0]).toMatch(/^NOT_FINITE: the challenger/)
      expect(decision.challenger.mse).toBeNull()
      expect(() => decisionSchema.parse(decision)).not.toThrow()
    },
  )

  test('concludes nothing from too few rows, however good they look', () => {
    const decision = decide(clear, { pairsMin: 337 })
    expect(decision.verdict).toBe('inconclusive')
    expect(decision.reasons).toEqual(['TOO_FEW_ROWS: 336 forecast values, 337 are needed'])
  })

  test('concludes nothing where the actuals do not vary, and nothing from no rows at all', () => {
    const flat = decide(contestOf({ champion, challenger: better, actual: () => 7 }))
    expect(flat.verdict).toBe('inconclusive')
    expect(flat.reasons[0]).toMatch(/^R2_UNDEFINED/)
    const none = { errors: errorSumsOf([], []), meters: {}, squaredErrors: [], absoluteErrors: [] }
    const empty = decide({
      ...clear,
      champion: { ...clear.champion, ...none },
      challenger: { ...clear.challenger, ...none },
      rows: { meters: [], origins: [], actuals: [] },
    })
    expect(empty.verdict).toBe('inconclusive')
    expect(() => decisionSchema.parse(empty)).not.toThrow()
  })

  test('takes the seasonal-naive baseline where there is no champion', () => {
    const decision = decide(changed('champion', { version: null, learner: 'seasonal-naive', trainEnd: null }))
    expect(decision.verdict).toBe('promote')
    expect(decision.champion).toMatchObject({ version: null, learner: 'seasonal-naive' })
  })

  test('records the skill against the forecasts that need no model', () => {
    const persistence = contestOf({ champion: ({ shared }) => 2 * shared, challenger: better }).champion
      .errors
    const contest = { ...clear, baselines: { seasonalNaive: clear.champion.errors, persistence } }
    expect(checkOf(contest, 'skill-seasonal-naive')).toMatchObject({ passed: true, champion: 0 })
    expect(checkOf(contest, 'skill-persistence')?.challenger).toBeGreaterThan(0.7)
    expect(checkOf(clear, 'skill-persistence')).toBeUndefined()
  })

  const budget = { bytesMax: 1_000, millisecondsPerRowMax: 2, parityMax: 1e-5 }
  test.each([
    ['parity', { parity: 2e-5 }],
    ['parity', { parity: Number.NaN }],
    ['latency', { millisecondsPerRow: 2.1 }],
    ['size', { bytes: 1_001 }],
  ])('rejects a file over its budget of %s, however good it is', (name, over) => {
    const fine = { bytes: 1_000, millisecondsPerRow: 2, parity: 1e-5 }
    const contest = { ...changed('challenger', { artifact: fine }), budget }
    expect(decide(contest).verdict).toBe('promote')
    const decision = decide({ ...changed('challenger', { artifact: { ...fine, ...over } }), budget })
    expect(decision.verdict).toBe('reject')
    expect(decision.checks.filter(({ passed }) => !passed).map((check) => check.name)).toEqual([name])
    expect(() => decisionSchema.parse(decision)).not.toThrow()
  })

  test('finds the same in rows that are thinned unevenly', () => {
    const kept = Array.from(clear.rows.origins, (_, i) => i).filter((i) => (i * 0.618) % 1 < 0.6)
    const pick = <Value>(values: ArrayLike<Value>) => kept.map((i) => values[i] as Value)
    const thin = ({ squaredErrors, absoluteErrors, ...rest }: Evaluation): Evaluation => ({
      ...rest,
      squaredErrors: pick(squaredErrors),
      absoluteErrors: pick(absoluteErrors),
    })
    const thinned = {
      ...clear,
      champion: thin(clear.champion),
      challenger: thin(clear.challenger),
      rows: {
        meters: pick(clear.rows.meters),
        origins: pick(clear.rows.origins),
        actuals: pick(clear.rows.actuals),
      },
    }
    expect(decide(thinned).verdict).toBe('promote')
    expect(checkOf(thinned, 'diebold-mariano-squared')?.numbers).toMatchObject({ bins: kept.length })
  })

  test('lags at least a day, and more where targets overlap', () => {
    const ahead = { ...clear, horizon: 24 }
    expect(checkOf(ahead, 'diebold-mariano-squared')?.numbers?.bandwidth).toBe(47)
    expect(
      checkOf({ ...clear, intervalMs: 24 * hourMs }, 'diebold-mariano-squared')?.numbers?.bandwidth,
    ).toBe(5)
  })

  test('groups meters by level where there are many', () => {
    const many = contestOf({
      meters: 12,
      days: 7,
      actual: (meter, hour) => (meter + 1) * (2 + Math.sin(hour)),
      champion,
      challenger: better,
    })
    const slices = Object.keys(checkOf(many, 'no-slice-worse')?.numbers ?? {})
    expect(slices.filter((name) => name.startsWith('meters of level'))).toHaveLength(4)
    expect(slices.some((name) => name.startsWith('meter m-'))).toBe(false)
  })

  test('a further check joins the list and the first that fails decides', () => {
    const failing = (otherwise: GateCheck['otherwise']): GateCheck => ({
      name: 'further',
      otherwise,
      look: () => ({ passed: false, champion: null, challenger: 0.3, detail: 'not today' }),
    })
    expect(decide(clear, {}, [...standardChecks, failing('inconclusive')])).toMatchObject({
      verdict: 'inconclusive',
      reasons: ['not today'],
    })
    const worse = contestOf({ champion: better, challenger: champion })
    expect(decide(worse, {}, [...standardChecks, failing('inconclusive')]).verdict).toBe('reject')
  })

  test('never promotes both ways, and never on equal errors', () => {
    const size = fc.double({ min: 0, max: 50, noNaN: true })
    fc.assert(
      fc.property(size, size, (a, b) => {
        const verdictOf = (one: number, other: number) =>
          decide(
            contestOf({
              days: 5,
              champion: ({ shared, own }) => one * (shared + own),
              challenger: ({ shared, own }) => other * (shared + own),
            }),
            { resamples: 199 },
          ).verdict
        expect(verdictOf(a, b) === 'promote' && verdictOf(b, a) === 'promote').toBe(false)
        const same = ({ shared }: { shared: number }) => a * shared
        expect(decide(contestOf({ days: 5, champion: same, challenger: same })).verdict).not.toBe('promote')
      }),
      { seed: 11, numRuns: 30 },
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
