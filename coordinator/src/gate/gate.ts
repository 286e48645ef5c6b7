/** Does the challenger replace the champion? Every check is looked at and recorded, also behind one that failed. */

import { metricsOf } from '@imlma/protocol/metrics'
import type { Decision } from '../registry/events.ts'
import { finiteOrNull, gateDefaults, standardChecks, type GateCheck, type GateOptions } from './checks.ts'
import type { Contest, Evaluation } from './evaluation.ts'

/** Promote only when every check passes; otherwise the first one that fails says whether it is a no or not yet. */
export const decide = (
  contest: Contest,
  options: Partial<GateOptions> = {},
  checks: readonly GateCheck[] = standardChecks,
): Decision => {
  const { champion, challenger, window } = contest
  const looked = checks.map(({ name, otherwise, look }) => ({
    otherwise,
    check: { name, ...look(contest, { ...gateDefaults, ...options }) },
  }))
  const failed = looked.filter(({ check }) => !check.passed)
  const shown = failed.length > 0 ? failed : looked
  return {
    verdict: failed[0]?.otherwise ?? 'promote',
    reasons: shown.map(({ check }) => check.detail),
    checks: looked.map(({ check }) => check),
    window: { start: window.start, end: window.end },
    rows: challenger.rows,
    champion: { ...judgedMetrics(champion), version: champion.version, learner: champion.learner },
    challenger: judgedMetrics(challenger),
  }
}

const judgedMetrics = ({ errors }: Evaluation) => {
  const { mse, mae, r2 } = metricsOf(errors)
  return { mse: finiteOrNull(mse), mae: finiteOrNull(mae), r2: finiteOrNull(r2) }
}
