import { describe, expect, test } from 'vitest'
import { budgetDefaults, fullBudget, stepBudget, type Budget, type BudgetVerdict } from './budget.ts'

const failAt = (times: readonly number[]): readonly BudgetVerdict[] => {
  let budget: Budget = fullBudget
  return times.map((at) => {
    const next = stepBudget(budget, at)
    budget = next.budget
    return next.verdict
  })
}

describe('the budget of a part', () => {
  test('lets it start again after ever longer pauses, as often as it says, and then no more', () => {
    const verdicts = failAt(Array.from({ length: budgetDefaults.restartsMax + 2 }, (_, i) => i))
    const delays = verdicts.flatMap((each) => (each.kind === 'restart' ? [each.afterMs / 1_000] : []))
    expect(delays).toEqual([5, 10, 20, 40, 80, 160, 300, 300])
    expect(verdicts.slice(-2)).toEqual([{ kind: 'spent' }, { kind: 'spent' }])
  })

  test('is full again when the part ran well for the whole window', () => {
    const often = Array.from({ length: budgetDefaults.restartsMax }, (_, i) => i)
    const last = (often.at(-1) as number) + budgetDefaults.withinMs
    expect(failAt([...often, last]).at(-1)).toEqual({ kind: 'restart', afterMs: 5_000 })
    expect(failAt([...often, last - budgetDefaults.restartsMax]).at(-1)).toEqual({ kind: 'spent' })
  })

  test('keeps no more than it needs', () => {
    let budget: Budget = fullBudget
    for (let at = 0; at < 1_000; at += 1) budget = stepBudget(budget, at).budget
    expect(budget).toHaveLength(budgetDefaults.restartsMax)
  })
})
