/**
 * How often may a part of the agent be started again? A failure that passes by itself is over after a try or two; one
 * that does not must neither be retried without pause nor for ever: beyond the budget the whole process is started anew,
 * which frees what a part cannot free by itself.
 *
 *   failed ──▶ restart after 5, 10, 20 … 300 s ──▶ … ──▶ spent, at more than `restartsMax` within `withinMs`
 *
 * With these numbers a part that fails at once is tried for a quarter of an hour before the process ends.
 */

export interface BudgetOptions {
  /** Restarts of one part within the window: the pauses double to their longest, and that one comes twice. */
  readonly restartsMax: number
  /** A part that ran for so long after its last failure starts from a full budget. */
  readonly withinMs: number
  readonly delayMsMin: number
  readonly delayMsMax: number
}

export const budgetDefaults: BudgetOptions = {
  restartsMax: 8,
  withinMs: 3_600_000,
  delayMsMin: 5_000,
  delayMsMax: 300_000,
}

/** When the part failed within the window, ascending. */
export type Budget = readonly number[]

export const fullBudget: Budget = []

export type BudgetVerdict =
  { readonly kind: 'restart'; readonly afterMs: number } | { readonly kind: 'spent' }

/** `at`: milliseconds of a clock that only grows. */
export const stepBudget = (
  budget: Budget,
  at: number,
  options: BudgetOptions = budgetDefaults,
): { readonly budget: Budget; readonly verdict: BudgetVerdict } => {
  const recent = budget.filter((each) => at - each < options.withinMs)
  if (recent.length >= options.restartsMax) return { budget: recent, verdict: { kind: 'spent' } }
  const afterMs = Math.min(options.delayMsMin * 2 ** recent.length, options.delayMsMax)
  return { budget: [...recent, at], verdict: { kind: 'restart', afterMs } }
}
