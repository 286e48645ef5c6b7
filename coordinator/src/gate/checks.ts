/**
 * The conditions a challenger must meet, in the order in which they are looked at. The first one that fails decides
 * the verdict: what makes the comparison worthless comes before what is not enough to compare, and that before who
 * was better. A further test (significance, slices, parity, latency, size) is one more entry of this list.
 */

import { metricsOf } from '@imlma/protocol/metrics'
import type { Check } from '../registry/events.ts'
import type { Contest, Evaluation } from './evaluation.ts'

export interface GateOptions {
  /** Forecast values with a known actual below which nothing is concluded. */
  readonly pairsMin: number
}

/** Two days of quarter hours: below that, a single odd day decides. */
export const gateDefaults: GateOptions = { pairsMin: 192 }

export interface GateCheck {
  readonly name: string
  /** Verdict when this is the first check that fails. */
  readonly otherwise: 'reject' | 'inconclusive'
  readonly look: (contest: Contest, options: GateOptions) => Omit<Check, 'name'>
}

/** NaN and infinity have no place in a record. */
export const finiteOrNull = (value: number | null): number | null =>
  value !== null && Number.isFinite(value) ? value : null

const finding = (passed: boolean, champion: number | null, challenger: number | null, detail: string) => ({
  passed,
  champion: finiteOrNull(champion),
  challenger: finiteOrNull(challenger),
  detail,
})

const windowAfterTraining: GateCheck = {
  name: 'window-after-training',
  otherwise: 'reject',
  look: ({ champion, challenger, window }) => {
    const latest = Math.max(champion.trainEnd ?? 0, challenger.trainEnd ?? 0)
    const passed = window.start >= latest && window.end > window.start
    const at = new Date(window.start).toISOString()
    const detail = passed
      ? `the window starts at ${at}, after the training of both`
      : `WINDOW_OVERLAPS_TRAINING: the window starts at ${at}, training ended at ${new Date(latest).toISOString()}`
    return finding(passed, champion.trainEnd, challenger.trainEnd, detail)
  },
}

const sameRows: GateCheck = {
  name: 'same-rows',
  otherwise: 'reject',
  look: ({ champion, challenger }) => {
    const passed =
      champion.rowsSha256 === challenger.rowsSha256 &&
      champion.rows === challenger.rows &&
      champion.errors.count === challenger.errors.count
    const detail = passed
      ? `both on the same ${challenger.rows} rows`
      : `DIFFERENT_ROWS: ${champion.rows} rows with ${champion.errors.count} values against ${challenger.rows} with ${challenger.errors.count}`
    return finding(passed, champion.errors.count, challenger.errors.count, detail)
  },
}

const isFinite = ({ errors }: Evaluation): boolean => Object.values(errors).every(Number.isFinite)

const finite: GateCheck = {
  name: 'finite',
  otherwise: 'reject',
  look: ({ champion, challenger }) => {
    const [one, other] = [isFinite(champion), isFinite(challenger)]
    const who = one ? 'the challenger' : other ? 'the champion' : 'both'
    const detail =
      one && other ? 'every error is a number' : `NOT_FINITE: ${who} forecast something that is no number`
    return finding(one && other, one ? 1 : 0, other ? 1 : 0, detail)
  },
}

const enoughRows: GateCheck = {
  name: 'enough-rows',
  otherwise: 'inconclusive',
  look: ({ champion, challenger }, { pairsMin }) => {
    const { count } = challenger.errors
    const passed = count >= pairsMin
    const detail = `${passed ? '' : 'TOO_FEW_ROWS: '}${count} forecast values, ${pairsMin} are needed`
    return finding(passed, champion.errors.count, count, detail)
  },
}

const actualsVary: GateCheck = {
  name: 'actuals-vary',
  otherwise: 'inconclusive',
  look: ({ champion, challenger }) => {
    const [one, other] = [metricsOf(champion.errors).r2, metricsOf(challenger.errors).r2]
    const passed = one !== null && other !== null
    return finding(
      passed,
      one,
      other,
      passed ? 'R² can be said' : 'R2_UNDEFINED: the actuals of this window do not vary',
    )
  },
}

/** Strictly better, in the direction of the metric. */
const better = (name: 'mse' | 'mae' | 'r2', label: string, direction: 'lower' | 'higher'): GateCheck => ({
  name,
  otherwise: 'reject',
  look: ({ champion, challenger }) => {
    const one = metricsOf(champion.errors)[name]
    const other = metricsOf(challenger.errors)[name]
    // Written so that NaN and null are never better.
    const passed = one !== null && other !== null && (direction === 'lower' ? other < one : other > one)
    const numbers = `${figure(other)} against ${figure(one)}`
    return finding(
      passed,
      one,
      other,
      passed ? `${label} is ${direction}: ${numbers}` : `${label} is not ${direction}: ${numbers}`,
    )
  },
})

const figure = (value: number | null): string =>
  value === null ? 'none' : String(Number(value.toPrecision(5)))

export const standardChecks: readonly GateCheck[] = [
  windowAfterTraining,
  sameRows,
  finite,
  enoughRows,
  actualsVary,
  better('mse', 'MSE', 'lower'),
  better('mae', 'MAE', 'lower'),
  better('r2', 'R²', 'higher'),
]
