/** How long may a run take before its model counts as hanging? */

export interface DeadlineOptions {
  /** Milliseconds that every run has: a gateway that is busy for a moment must not condemn a model. */
  readonly runMsMin?: number
  /** Times the signed latency budget, which is the p99 of one row. */
  readonly budgetFactor?: number
  /** Milliseconds for each row: 4,096 rows of a slow ensemble are no hang. */
  readonly runMsPerRow?: number
}

/** Milliseconds; `latencyMsBudget`: as signed, where it is known. */
export const deadlineMsOf = (
  rows: number,
  latencyMsBudget = 0,
  { runMsMin = 2_000, budgetFactor = 5, runMsPerRow = 1 }: DeadlineOptions = {},
): number => Math.max(runMsMin, budgetFactor * latencyMsBudget) + runMsPerRow * rows
