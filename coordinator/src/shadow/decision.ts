/** A shadow's verdict as the registry keeps it: a decision with its numbers, in the same form as the gate's. */

import { finding, figure, percent } from '../gate/condition.ts'
import type { SequentialEvidence } from '../gate/sequential.ts'
import type { Check, Decision, RegistryEvent } from '../registry/events.ts'
import { evidenceOf, type ShadowBook, type ShadowRules } from './book.ts'
import { pairedMetrics, type Loss, type PairedMetrics } from './sums.ts'

export type ShadowEvidence = Extract<RegistryEvent, { kind: 'shadow-ended' }>['evidence']

/** `verdict`: what the book says now, with time taken into account. */
export const toDecision = (
  book: ShadowBook,
  verdict: Exclude<ShadowBook['verdict'], 'inconclusive'>,
  rules: ShadowRules,
  championLearner: string,
): Decision => {
  const checks = checksOf(book, rules)
  const { total, heardAt } = book
  return {
    verdict: verdict === 'promoted' ? 'promote' : 'reject',
    reasons: reasonsOf(verdict, checks, book, rules),
    checks: [...checks],
    window: book.window ?? { start: heardAt, end: heardAt },
    rows: total.count,
    champion: { ...pairedMetrics(total, 'champion'), version: book.champion, learner: championLearner },
    challenger: { ...pairedMetrics(total, 'challenger') },
  }
}

/** The numbers by which a shadow ended, for its record. */
export const toEvidence = (book: ShadowBook, rules: ShadowRules): ShadowEvidence => {
  const { evidence, worse, needed } = evidenceOf(book, rules)
  const { champion, total, latePairs } = book
  const { days, count: pairs, failures } = total
  return { champion, days, pairs, failures, latePairs, evidence, worse, needed }
}

const reasonsOf = (
  verdict: Exclude<ShadowBook['verdict'], 'inconclusive'>,
  checks: readonly Check[],
  { total, champion }: ShadowBook,
  rules: ShadowRules,
): string[] => {
  const days = `${total.days} days in shadow`
  switch (verdict) {
    case 'promoted':
      return [`PROVEN_IN_SHADOW: better than version ${champion} after ${days}`]
    case 'rejected':
      return [`WORSE_IN_SHADOW: worse than version ${champion} after ${days}`, ...failedOf(checks)]
    case 'expired':
      return total.days + rules.blockDays > rules.daysMax
        ? [`SHADOW_EXPIRED: no proof after ${days}, ${rules.daysMax} are allowed`, ...failedOf(checks)]
        : [`SHADOW_SILENT: no agent reports a comparison any more, after ${days}`, ...failedOf(checks)]
  }
}

const failedOf = (checks: readonly Check[]): string[] =>
  checks.filter(({ passed }) => !passed).map(({ detail }) => detail)

const checksOf = (book: ShadowBook, rules: ShadowRules): readonly Check[] => {
  const { squared, absolute, needed } = evidenceOf(book, rules)
  const { total } = book
  const [champion, challenger] = [pairedMetrics(total, 'champion'), pairedMetrics(total, 'challenger')]
  const better = (name: keyof PairedMetrics, label: string, direction: 'lower' | 'higher'): Check => {
    const [one, other] = [champion[name], challenger[name]]
    const passed = one !== null && other !== null && (direction === 'lower' ? other < one : other > one)
    const detail = `${label} in shadow is ${passed ? '' : 'not '}${direction}: ${figure(other)} against ${figure(one)}`
    return { name, ...finding(passed, one, other, detail) }
  }
  return [
    better('mse', 'MSE', 'lower'),
    better('mae', 'MAE', 'lower'),
    better('r2', 'R²', 'higher'),
    {
      name: 'failures',
      ...finding(
        total.failures === 0,
        null,
        total.failures,
        `the challenger gave no number for ${total.failures} pairs`,
      ),
    },
    sequential('squared', squared, needed, [champion.mse, challenger.mse]),
    sequential('absolute', absolute, needed, [champion.mae, challenger.mae]),
  ]
}

const sequential = (
  loss: Loss,
  { days, meanDifference, better, worse }: SequentialEvidence,
  needed: number,
  [champion, challenger]: readonly [number | null, number | null],
): Check => {
  const passed = better >= needed
  const detail =
    `${passed ? '' : 'NOT_PROVEN: '}sequential test on ${loss} loss: evidence ${figure(better)} of ${figure(needed)} ` +
    `needed after ${days} steps, mean daily gain ${percent(meanDifference)}`
  const numbers = { days, meanDifference, better, worse, needed }
  return { name: `sequential-${loss}`, ...finding(passed, champion, challenger, detail, numbers) }
}
