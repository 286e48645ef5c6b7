/**
 * When is a trial not worth finishing? Trials report their value at growing resources (epochs, rows); a pruner compares
 * each with what others had at the same place. Usable without a study. Lower values are better.
 */

export type PrunerAnswer = 'continue' | 'stop'

export interface PrunerReport {
  readonly trial: number
  /** Epochs, rows, …: grows within a trial. */
  readonly resource: number
  readonly value: number
}

export interface Pruner {
  /** Every report so far: what to store, and what to begin again with. */
  readonly reports: readonly PrunerReport[]
  /** A value that is no finite number stops a trial. */
  report(trial: number, resource: number, value: number): PrunerAnswer
}

type Rule = (earlier: readonly PrunerReport[], now: PrunerReport) => PrunerAnswer

const createPruner = (rule: Rule, stored: readonly PrunerReport[]): Pruner => {
  let reports = stored
  return {
    get reports() {
      return reports
    },
    report: (trial, resource, value) => {
      if (!Number.isFinite(value)) return 'stop'
      const now = { trial, resource, value }
      const answer = rule(reports, now)
      reports = [...reports, now]
      return answer
    },
  }
}

/** The lowest value that each other trial had up to a resource, of those that got there. */
const othersAt = (earlier: readonly PrunerReport[], { trial, resource }: PrunerReport): readonly number[] => {
  const best = new Map<number, number>()
  const arrived = new Set<number>()
  for (const report of earlier) {
    if (report.trial === trial) continue
    if (report.resource >= resource) arrived.add(report.trial)
    if (report.resource <= resource)
      best.set(report.trial, Math.min(best.get(report.trial) ?? Infinity, report.value))
  }
  return [...best].flatMap(([other, value]) => (arrived.has(other) ? [value] : []))
}

const lowestOf = (earlier: readonly PrunerReport[], now: PrunerReport): number =>
  earlier.reduce(
    (lowest, { trial, resource, value }) =>
      trial === now.trial && resource <= now.resource ? Math.min(lowest, value) : lowest,
    now.value,
  )

export interface MedianRuleOptions {
  /** No trial is stopped before so many others got as far; default 4. */
  readonly trialsMin?: number
  /** No trial is stopped before this resource; default 0. */
  readonly resourceMin?: number
  readonly reports?: readonly PrunerReport[]
}

/**
 * Stops a trial whose best value so far is worse than the median of the others' at the same resource.
 * Source: D. Golovin et al., "Google Vizier" (2017), Median Stopping Rule.
 */
export const createMedianRule = ({
  trialsMin = 4,
  resourceMin = 0,
  reports = [],
}: MedianRuleOptions = {}): Pruner =>
  createPruner((earlier, now) => {
    const others = othersAt(earlier, now).toSorted((a, b) => a - b)
    if (now.resource < resourceMin || others.length < trialsMin) return 'continue'
    const middle = others.length >> 1
    const median = others.length % 2 === 1 ? others[middle]! : (others[middle - 1]! + others[middle]!) / 2
    return lowestOf(earlier, now) > median ? 'stop' : 'continue'
  }, reports)

export interface SuccessiveHalvingOptions {
  /** The first rung; the next ones are `factor` times as far, and so on. */
  readonly resourceMin: number
  readonly factor?: number
  readonly reports?: readonly PrunerReport[]
}

/**
 * At each rung (resourceMin × factorᵏ) only the best 1/factor of the trials that came there go on; the first ones of a
 * rung go on unless something is known to be better. Between rungs nobody is stopped.
 * Source: L. Li et al., "A System for Massively Parallel Hyperparameter Tuning" (2020), ASHA.
 */
export const createSuccessiveHalving = ({
  resourceMin,
  factor = 3,
  reports = [],
}: SuccessiveHalvingOptions): Pruner =>
  createPruner((earlier, now) => {
    const rung = Math.floor(Math.log(now.resource / resourceMin) / Math.log(factor) + 1e-9)
    const resource = resourceMin * factor ** rung
    const own = earlier.filter(({ trial }) => trial === now.trial)
    // Judged once a rung, at the first report at or beyond it.
    if (rung < 0 || own.some((report) => report.resource >= resource * (1 - 1e-9))) return 'continue'
    const rivals = othersAt(earlier, { ...now, resource: now.resource })
    const better = rivals.filter((value) => value < lowestOf(earlier, now)).length
    const seats = Math.max(1, Math.floor((rivals.length + 1) / factor))
    return better < seats ? 'continue' : 'stop'
  }, reports)
