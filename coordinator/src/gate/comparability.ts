/** Is there anything to compare? Conditions on the window, the rows and how many there are. */

import { metricsOf } from '@imlma/protocol/metrics'
import { dayOf } from '@imlma/protocol/series'
import { finding, type GateCheck } from './condition.ts'
import type { Contest, Evaluation } from './evaluation.ts'

const windowAfterTraining: GateCheck = {
  name: 'window-after-training',
  otherwise: 'reject',
  look: ({ contest: { champion, challenger, window } }) => {
    const latest = Math.max(champion.trainEnd ?? 0, challenger.trainEnd ?? 0)
    const passed = window.start >= latest && window.end > window.start
    const at = new Date(window.start).toISOString()
    const detail = passed
      ? `the window starts at ${at}, after the training of both`
      : `WINDOW_OVERLAPS_TRAINING: the window starts at ${at}, training ended at ${new Date(latest).toISOString()}`
    return finding(passed, champion.trainEnd, challenger.trainEnd, detail)
  },
}

/** Both have an error for every row, and the rows bear the same name. */
export const onSameRows = ({ champion, challenger, rows }: Contest): boolean =>
  champion.rowsSha256 === challenger.rowsSha256 &&
  champion.errors.count === challenger.errors.count &&
  [champion, challenger].every(
    ({ squaredErrors, absoluteErrors }) =>
      squaredErrors.length === rows.origins.length && absoluteErrors.length === rows.origins.length,
  )

const sameRows: GateCheck = {
  name: 'same-rows',
  otherwise: 'reject',
  look: ({ contest }) => {
    const { champion, challenger } = contest
    const passed = onSameRows(contest)
    const told = ({ squaredErrors, errors }: Evaluation) =>
      `${squaredErrors.length} rows with ${errors.count} values`
    const detail = passed
      ? `both on the same ${challenger.squaredErrors.length} rows`
      : `DIFFERENT_ROWS: ${told(champion)} against ${told(challenger)}`
    return finding(passed, champion.errors.count, challenger.errors.count, detail)
  },
}

export const isFinite = ({ errors }: Evaluation): boolean => Object.values(errors).every(Number.isFinite)

const finite: GateCheck = {
  name: 'finite',
  otherwise: 'reject',
  look: ({ contest: { champion, challenger } }) => {
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
  look: ({ contest: { champion, challenger }, options: { pairsMin } }) => {
    const { count } = challenger.errors
    const passed = count >= pairsMin
    const detail = `${passed ? '' : 'TOO_FEW_ROWS: '}${count} forecast values, ${pairsMin} are needed`
    return finding(passed, champion.errors.count, count, detail)
  },
}

const enoughDays: GateCheck = {
  name: 'enough-days',
  otherwise: 'inconclusive',
  look: ({ contest: { rows }, options: { daysMin } }) => {
    const days = new Set(Array.from(rows.origins, dayOf)).size
    const detail = `${days < daysMin ? 'TOO_FEW_DAYS: ' : ''}forecasts on ${days} days, ${daysMin} are needed`
    return finding(days >= daysMin, days, days, detail)
  },
}

const actualsVary: GateCheck = {
  name: 'actuals-vary',
  otherwise: 'inconclusive',
  look: ({ contest: { champion, challenger } }) => {
    const [one, other] = [metricsOf(champion.errors).r2, metricsOf(challenger.errors).r2]
    const passed = one !== null && other !== null
    const detail = passed ? 'R² can be said' : 'R2_UNDEFINED: the actuals of this window do not vary'
    return finding(passed, one, other, detail)
  },
}

/** What makes a comparison worthless comes before what is not enough to compare. */
export const comparisonIsSound: readonly GateCheck[] = [windowAfterTraining, sameRows, finite]
export const comparisonIsEnough: readonly GateCheck[] = [enoughRows, enoughDays, actualsVary]
