/**
 * Starts failed parts again, each within its budget, and says when a budget is spent. It neither knows what a part is
 * nor how it fails: whoever runs one tells of a failure, and brings what starts it again.
 *
 * What a part throws by mistake does not come here; it ends the process as every mistake of ours does.
 */

import { budgetDefaults, fullBudget, stepBudget, type Budget, type BudgetOptions } from './budget.ts'

export interface Supervisor {
  /** The part does not run any more. A part that waits for its restart fails no second time. */
  readonly failed: (part: string, cause: unknown, restart: () => Promise<void>) => void
  /** The part is gone for good: taken out of the configuration. */
  readonly forget: (part: string) => void
  readonly counts: () => { readonly restarts: number; readonly waiting: readonly string[] }
  readonly stop: () => void
}

interface Parts {
  readonly monotonicMs: () => number
  readonly onRestart: (part: string, afterMs: number, cause: unknown) => void
  /** The process should end: what supervises it starts it again. */
  readonly onSpent: (part: string, cause: unknown) => void
}

export const createSupervisor = (
  { monotonicMs, onRestart, onSpent }: Parts,
  options: BudgetOptions = budgetDefaults,
): Supervisor => {
  const budgets = new Map<string, Budget>()
  const waiting = new Map<string, NodeJS.Timeout>()
  let restarts = 0
  let stopped = false

  const failed: Supervisor['failed'] = (part, cause, restart) => {
    if (stopped || waiting.has(part)) return
    const { budget, verdict } = stepBudget(budgets.get(part) ?? fullBudget, monotonicMs(), options)
    budgets.set(part, budget)
    if (verdict.kind === 'spent') return onSpent(part, cause)
    onRestart(part, verdict.afterMs, cause)
    const timer = setTimeout(() => {
      waiting.delete(part)
      restarts += 1
      restart().catch((next: unknown) => failed(part, next, restart))
    }, verdict.afterMs)
    waiting.set(part, timer)
  }

  return {
    failed,
    forget: (part) => {
      clearTimeout(waiting.get(part))
      waiting.delete(part)
      budgets.delete(part)
    },
    counts: () => ({ restarts, waiting: [...waiting.keys()] }),
    stop: () => {
      stopped = true
      for (const timer of waiting.values()) clearTimeout(timer)
      waiting.clear()
    },
  }
}
