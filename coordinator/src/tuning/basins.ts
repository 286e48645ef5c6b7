/**
 * When to look elsewhere, and where elsewhere begins. A basin is what the surrogate takes for alike: in a space with
 * branches (learners with parameters of their own) the whole branch, otherwise a ball of some length scales. Two signs say
 * that the present one is done: the best improvement to be expected is only a polish, or the latest trials brought nothing.
 */
import type { Encoding } from './encoding.ts'
import type { StudyState } from './study-state.ts'
import type { HyperParameters } from './surrogate.ts'

/** How eagerly an ask looks into other basins: never, when only a polish is left here, or in any case. */
export type Wanderlust = 'none' | 'when-polishing' | 'now'

/** Radius of a ball in length scales: there the correlation with its centre is about a quarter. */
const radius = 1.5

/** Trials that must bring a gain worth mentioning, and that gain in deviations of all values. */
const patienceTrials = 8
const gainShareMin = 0.01

/** Axes that other axes depend on. */
const branchingAxes = ({ axes }: Encoding): readonly number[] =>
  axes.flatMap(({ name, levels }, d) =>
    levels > 1 && axes.some(({ parameter }) => parameter.when?.parameter === name) ? [d] : [],
  )

/** Whether a point lies outside the basin around a centre. */
export const createOutside = (
  encoding: Encoding,
  hyper: HyperParameters,
): ((point: Float64Array, centre: Float64Array) => boolean) => {
  const branching = branchingAxes(encoding)
  if (branching.length > 0) return (point, centre) => branching.some((d) => point[d] !== centre[d])
  return (point, centre) => {
    let squared = 0
    for (let d = 0; d < point.length; d++) {
      const apart = encoding.nominal[d] === 1 ? Number(point[d] !== centre[d]) : point[d]! - centre[d]!
      squared += (apart / Math.exp(hyper[d]!)) ** 2
    }
    return squared > radius * radius
  }
}

/** Whether the latest trials that meant to improve brought nothing worth mentioning. */
const stagnates = ({ trials }: StudyState): boolean => {
  const done = trials.flatMap(({ purpose, outcome }) =>
    outcome?.kind === 'done' ? [{ purpose, value: outcome.value }] : [],
  )
  const improving = done.flatMap(({ purpose }, i) => (purpose === 'improve' ? [i] : []))
  const since = improving.at(-patienceTrials)
  if (since === undefined || since === 0) return false
  const values = done.map(({ value }) => value)
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length
  const deviation = Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length)
  return Math.min(...values.slice(0, since)) - Math.min(...values.slice(since)) < gainShareMin * deviation
}

/** Every second ask may leave a basin that only needs polish, every fourth one leaves it where nothing moves. */
export const wanderlustOf = (state: StudyState): Wanderlust => {
  const turn = state.trials.length % 4
  if (turn === 1 && stagnates(state)) return 'now'
  return turn % 2 === 1 ? 'when-polishing' : 'none'
}
