/** Does the challenger replace the champion? Every check is looked at and recorded, also behind one that failed. */

import { metricsOf } from '@imlma/protocol/metrics'
import type { Decision } from '../registry/events.ts'
import { standardChecks } from './checks.ts'
import { isFinite, onSameRows } from './comparability.ts'
import { compare } from './comparison.ts'
import { finiteOrNull, type GateCheck, type Question } from './condition.ts'
import type { Contest, Evaluation } from './evaluation.ts'
import { gateDefaults, type GateOptions } from './options.ts'

/**
 * Promotes only when every check passes; otherwise the first one that fails says whether it is a no or not yet.
 * The same contest and options always give the same decision: resampling is seeded with the hash of the rows.
 * 20,000 rows take a tenth of a second.
 */
export const decide = (
  contest: Contest,
  options: Partial<GateOptions> = {},
  checks: readonly GateCheck[] = standardChecks,
): Decision => {
  const { champion, challenger, window, rows } = contest
  const question = toQuestion(contest, { ...gateDefaults, ...options })
  const looked = checks.flatMap(({ name, otherwise, look }) => {
    const found = look(question)
    if (found === undefined) return []
    const { otherwise: instead = otherwise, ...check } = found
    return [{ otherwise: instead, check: { name, ...check } }]
  })
  const failed = looked.filter(({ check }) => !check.passed)
  const shown = failed.length > 0 ? failed : looked
  return {
    verdict: failed[0]?.otherwise ?? 'promote',
    reasons: shown.map(({ check }) => check.detail),
    checks: looked.map(({ check }) => check),
    window: { start: window.start, end: window.end },
    rows: rows.origins.length,
    champion: { ...judgedMetrics(champion), version: champion.version, learner: champion.learner },
    challenger: judgedMetrics(challenger),
  }
}

const toQuestion = (contest: Contest, options: GateOptions): Question => {
  const comparable =
    onSameRows(contest) &&
    contest.rows.origins.length > 0 &&
    isFinite(contest.champion) &&
    isFinite(contest.challenger)
  return { contest, options, comparison: comparable ? compare(contest, options) : undefined }
}

const judgedMetrics = ({ errors }: Evaluation) => {
  const { mse, mae, r2 } = metricsOf(errors)
  return { mse: finiteOrNull(mse), mae: finiteOrNull(mae), r2: finiteOrNull(r2) }
}
