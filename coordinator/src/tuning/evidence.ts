/**
 * What the surrogate learns from: the trials of this study and, each as a study of its own, those of previous ones. Its
 * size is bounded, because a fit costs its cube: of a long study the best and the latest trials stay.
 */
import { type Encoding, objectionToConfiguration } from './encoding.ts'
import { observe, type Observed } from './kernel.ts'
import type { PastTrial, StudyState, Trial } from './study-state.ts'
import { applyWarp, createWarp, logJacobian, type Warp } from './warp.ts'

/** Trials of this study that count: twice 75 keeps a step near a tenth of a second. */
const trialsMax = 150
/** Previous studies, and trials of each, that count. */
const pastStudiesMax = 3
const pastTrialsMax = 20

export interface Evidence {
  readonly observed: Observed
  /** Values of this study, which are the first rows; failed and discarded trials as no better than the others. */
  readonly values: readonly number[]
  readonly points: readonly Float64Array[]
  /** Standardised values of the previous studies under a power, which are the rows after. */
  readonly pastValues: readonly (readonly number[])[]
}

const medianOf = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0

/** The value of each ended trial; undefined where nothing is known yet. */
const valuesOf = (trials: readonly Trial[]): readonly (number | undefined)[] => {
  const done = trials.flatMap(({ outcome }) => (outcome?.kind === 'done' ? [outcome.value] : []))
  const worst = done.length === 0 ? 0 : Math.max(...done)
  const median = medianOf(done)
  return trials.map(({ outcome }) => {
    if (outcome === undefined) return undefined
    if (outcome.kind === 'done') return outcome.value
    // A value before the end may be far too high; it only says that the trial was not among the better ones.
    return outcome.kind === 'failed' ? worst : Math.min(worst, Math.max(median, outcome.value))
  })
}

/** The best trials of a previous study and an even choice of the rest, so that the shape is kept. */
const thin = (trials: readonly PastTrial[]): readonly PastTrial[] => {
  const sorted = trials.toSorted((a, b) => a.value - b.value)
  if (sorted.length <= pastTrialsMax) return sorted
  const half = pastTrialsMax / 2
  const step = (sorted.length - half) / half
  return [
    ...sorted.slice(0, half),
    ...Array.from({ length: half }, (_, i) => sorted[Math.floor(half + i * step)]!),
  ]
}

/** Previous trials that are points of this space, most recent study first. */
export const usablePast = ({ space, past }: StudyState): readonly (readonly PastTrial[])[] =>
  past
    .slice(0, pastStudiesMax)
    .map((trials) =>
      trials.filter(
        ({ configuration, value }) =>
          Number.isFinite(value) && objectionToConfiguration(space, configuration) === undefined,
      ),
    )
    .filter(({ length }) => length >= 3)

export const gatherEvidence = (state: StudyState, encoding: Encoding): Evidence => {
  const values = valuesOf(state.trials)
  const known = state.trials.flatMap(({ configuration }, i) =>
    values[i] === undefined ? [] : [{ point: encoding.encode(configuration), value: values[i], i }],
  )
  const best = new Set(known.toSorted((a, b) => a.value - b.value).slice(0, trialsMax / 2))
  const kept = known.filter((one, i) => best.has(one) || i >= known.length - trialsMax / 2)
  const past = usablePast(state).map(thin)
  const points = kept.map(({ point }) => point)
  const pastPoints = past.flat().map(({ configuration }) => encoding.encode(configuration))
  const studies = [...kept.map(() => 0), ...past.flatMap((trials, i) => trials.map(() => i + 1))]
  return {
    observed: observe([...points, ...pastPoints], encoding.nominal, studies),
    values: kept.map(({ value }) => value),
    points,
    pastValues: past.map((trials) => trials.map(({ value }) => value)),
  }
}

export interface WarpedTargets {
  readonly warp: Warp
  readonly targets: Float64Array
  /** To be added to a log likelihood of the targets. */
  readonly logJacobian: number
}

/** Every study is standardised by itself: another time has another level and spread. */
export const warpEvidence = ({ values, pastValues }: Evidence, power: number): WarpedTargets => {
  const warps = [values, ...pastValues].map((each) => ({ each, warp: createWarp(each, power) }))
  return {
    warp: warps[0]!.warp,
    targets: Float64Array.from(
      warps.flatMap(({ each, warp }) => each.map((value) => applyWarp(warp, value))),
    ),
    logJacobian: warps.reduce((sum, { each, warp }) => sum + logJacobian(warp, each), 0),
  }
}
