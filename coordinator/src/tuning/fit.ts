/**
 * The surrogate of one ask: several descents from where the last fit ended and from elsewhere, under several warps of the
 * values; the likeliest one speaks. Trial times get a belief of their own where they differ much.
 */
import type { Encoding } from './encoding.ts'
import { warpEvidence, type Evidence } from './evidence.ts'
import { observe } from './kernel.ts'
import { createPosterior, type Posterior } from './posterior.ts'
import type { Random } from './random.ts'
import type { StudyState, SurrogateMemory } from './study-state.ts'
import { defaultPriors, fitSurrogate, startingHyper, type HyperParameters } from './surrogate.ts'
import { createWarp } from './warp.ts'

export interface Surrogate {
  readonly posterior: Posterior
  readonly hyper: HyperParameters
  readonly memory: SurrogateMemory
}

/** Powers of the warp that are compared; only neighbours of the last choice after the first comparison. */
const powers = [0, 0.5, 1, 1.5, 2, 3]

/** Likelihood evaluations of one descent, up to 100 observations; fewer above, because each costs their cube. */
const evaluationsMax = 14

/** Every so many trials, a second descent starts elsewhere: the likelihood has several maxima. */
const freshStartEvery = 3

const freshStart = (axes: number, random: Random): HyperParameters => {
  const start = startingHyper(axes, defaultPriors(axes))
  for (let d = 0; d < axes; d++) start[d] = start[d]! + 0.7 * random.normal()
  start[axes + 1] = -Math.LN10 * (2 + 6 * random.uniform())
  return start
}

const powersToTry = (memory: SurrogateMemory | undefined): readonly number[] => {
  if (memory === undefined) return powers
  const last = powers.indexOf(memory.power)
  return powers.slice(Math.max(0, last - 1), last + 2)
}

/** The surrogate for the present evidence; undefined where no matrix could be factored. */
export const fitEvidence = (
  evidence: Evidence,
  memory: SurrogateMemory | undefined,
  random: Random,
): Surrogate | undefined => {
  const { observed } = evidence
  const { axes, rows } = observed
  const evaluations = Math.max(4, Math.round(evaluationsMax * Math.min(1, (100 / rows) ** 2)))
  const remembered = new Map(memory?.hyper)
  const fresh = evidence.values.length % freshStartEvery === 0 ? [freshStart(axes, random)] : []
  const fits = powersToTry(memory).map((power) => {
    const { targets, logJacobian } = warpEvidence(evidence, power)
    const last = remembered.get(power) ?? remembered.get(memory?.power ?? 1)
    const start = last === undefined ? startingHyper(axes, defaultPriors(axes)) : Float64Array.from(last)
    const { hyper, loss } = fitSurrogate(observed, targets, [start, ...fresh], evaluations)
    remembered.set(power, [...hyper])
    return { power, targets, hyper, loss: loss - logJacobian }
  })
  const best = fits.reduce((a, b) => (b.loss < a.loss ? b : a))
  const posterior = createPosterior(observed, best.targets, best.hyper)
  if (posterior === undefined) return undefined
  return { posterior, hyper: best.hyper, memory: { power: best.power, hyper: [...remembered] } }
}

export interface SecondsBelief {
  /** Belief about the standardised logarithm of a trial's seconds. */
  readonly posterior: Posterior
  /** Natural logarithms a standard deviation. */
  readonly scale: number
  readonly hyper: readonly number[]
}

/** Below this ratio between the slow and the fast tenth, time says nothing that the value does not. */
const secondsRatioMin = 3
const timedTrialsMin = 8

export const fitSeconds = (state: StudyState, encoding: Encoding): SecondsBelief | undefined => {
  const timed = state.trials
    .flatMap(({ configuration, outcome }) =>
      outcome?.kind === 'done' && outcome.seconds !== undefined && outcome.seconds > 0
        ? [{ configuration, log: Math.log(outcome.seconds) }]
        : [],
    )
    .slice(-100)
  if (timed.length < timedTrialsMin) return undefined
  const sorted = timed.map(({ log }) => log).toSorted((a, b) => a - b)
  const tenth = Math.floor(sorted.length / 10)
  if (sorted.at(-1 - tenth)! - sorted[tenth]! < Math.log(secondsRatioMin)) return undefined
  const { centre, scale } = createWarp(timed.map(({ log }) => log))
  const targets = Float64Array.from(timed, ({ log }) => (log - centre) / scale)
  const observed = observe(
    timed.map(({ configuration }) => encoding.encode(configuration)),
    encoding.nominal,
  )
  const remembered = state.memory?.secondsHyper
  const start =
    remembered === undefined
      ? startingHyper(observed.axes, defaultPriors(observed.axes))
      : Float64Array.from(remembered)
  const { hyper } = fitSurrogate(observed, targets, [start], evaluationsMax)
  const posterior = createPosterior(observed, targets, hyper)
  return posterior === undefined ? undefined : { posterior, scale, hyper: [...hyper] }
}
