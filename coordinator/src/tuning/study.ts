/**
 * A study: ask for a configuration, try it, tell how it went.
 *
 *   given → previous studies' best → evenly spread start → highest expected improvement (or another basin), until quiet
 *
 * Several asks may be open at once. What is asked follows from the state alone; each ask and each tell replaces the state,
 * which the caller stores. Values are minimised. Trials are not run here.
 */
import { accept, invariant, refuse, type Result } from '@imlma/protocol/result'
import { wanderlustOf } from './basins.ts'
import { createEncoding, objectionToConfiguration, type Encoding } from './encoding.ts'
import { gatherEvidence, usablePast } from './evidence.ts'
import { fitEvidence, fitSeconds } from './fit.ts'
import { areNear, failureRadius, propose } from './propose.ts'
import { createRandom } from './random.ts'
import { sobolPoints } from './sobol.ts'
import type { Configuration, SearchSpace } from './space.ts'
import type { Outcome, PastTrial, StudyState, Trial } from './study-state.ts'

export interface StudyOptions {
  readonly space: SearchSpace
  readonly seed: number
  /** Evenly spread trials at the start; default twice the number of parameters, 5 … 12. */
  readonly startTrials?: number
  /** Configurations to try first, such as a learner's defaults. */
  readonly given?: readonly Configuration[]
  /** Trials of previous studies of the same model, one list a study, the latest first; what does not fit is left out. */
  readonly past?: readonly (readonly PastTrial[])[]
}

export interface BestTrial {
  readonly number: number
  readonly configuration: Configuration
  readonly value: number
}

export type TellRefusal = 'unknown-trial' | 'already-told'

export interface Study {
  /** Everything there is to store; a new value after each ask and each tell. */
  readonly state: StudyState
  /** The next trial. Cost: some milliseconds, under 100 at 100 trials. */
  ask(): Trial
  /** A value that is no finite number counts as a failure. */
  tell(trial: number, outcome: Outcome): Result<StudyState, TellRefusal>
  /** The trial of lowest value; undefined before the first one is done. */
  best(): BestTrial | undefined
  /** True when further trials can be expected to gain less than the noise between equal trials. */
  isExhausted(): boolean
}

/** So many quiet asks in a row end a study: one or two happen by chance. */
const quietAsksMax = 5

/** The expected gain is quiet below this share of the noise's deviation. */
const quietShare = 0.1

/** Tries for an open place before a finite space is taken as exhausted and a repeat is allowed. */
const drawsMax = 256

export const createStudy = ({ space, seed, startTrials, given = [], past = [] }: StudyOptions): Study => {
  const axes = Object.keys(space).length
  for (const configuration of given) {
    const objection = objectionToConfiguration(space, configuration)
    invariant(objection === undefined, `a given configuration is a point of the space: ${objection}`)
  }
  return resumeStudy({
    format: 1,
    space,
    seed,
    startTrials: startTrials ?? Math.max(5, Math.min(2 * axes, 12)),
    given,
    past,
    trials: [],
    quietAsks: 0,
  })
}

/** A study as it was stored: it asks what the stored one would have asked. */
export const resumeStudy = (stored: StudyState): Study => {
  const encoding = createEncoding(stored.space)
  let state = stored

  const ask = (): Trial => {
    const { next, ...rest } = chooseNext(state, encoding)
    const trial: Trial = { number: state.trials.length, ...next }
    state = { ...state, ...rest, trials: [...state.trials, trial] }
    return trial
  }

  const tell = (number: number, outcome: Outcome): Result<StudyState, TellRefusal> => {
    const trial = state.trials[number]
    if (trial === undefined) return refuse('unknown-trial', `trial ${number} was never asked for`)
    if (trial.outcome !== undefined) return refuse('already-told', `trial ${number} has ended already`)
    const ended: Trial = { ...trial, outcome: toOutcome(outcome) }
    state = { ...state, trials: state.trials.with(number, ended) }
    return accept(state)
  }

  return {
    get state() {
      return state
    },
    ask,
    tell,
    best: () => bestOf(state),
    isExhausted: () => state.quietAsks >= quietAsksMax,
  }
}

const toOutcome = (outcome: Outcome): Outcome =>
  outcome.kind === 'failed' || Number.isFinite(outcome.value)
    ? outcome
    : { kind: 'failed', reason: `the value is ${outcome.value}` }

const bestOf = ({ trials }: StudyState): BestTrial | undefined =>
  trials
    .flatMap(({ number, configuration, outcome }) =>
      outcome?.kind === 'done' ? [{ number, configuration, value: outcome.value }] : [],
    )
    .toSorted((a, b) => a.value - b.value)[0]

interface Choice extends Pick<StudyState, 'quietAsks' | 'memory'> {
  readonly next: Pick<Trial, 'configuration' | 'purpose'>
}

const chooseNext = (state: StudyState, encoding: Encoding): Choice => {
  const { trials, startTrials } = state
  const unchanged = { quietAsks: state.quietAsks, ...(state.memory && { memory: state.memory }) }
  const first = firstConfigurations(state)[trials.length]
  if (first !== undefined) return { ...unchanged, next: { configuration: first, purpose: 'given' } }

  // What previous studies know need not be found out again: half as many spread trials then.
  const spread = usablePast(state).length > 0 ? Math.ceil(startTrials / 2) : startTrials
  const done = trials.filter(({ outcome }) => outcome?.kind === 'done').length
  const isStart = trials.filter(({ purpose }) => purpose === 'start').length < spread || done < 2
  return (
    (isStart ? undefined : chooseByBelief(state, encoding)) ?? {
      ...unchanged,
      next: chooseSpread(state, encoding),
    }
  )
}

/** What the caller gave, then the best of each previous study, each once. */
const firstConfigurations = (state: StudyState): readonly Configuration[] => {
  const best = usablePast(state).map(
    (trials) => trials.reduce((a, b) => (b.value < a.value ? b : a)).configuration,
  )
  const all = [...state.given, ...best]
  const keys = all.map((configuration) =>
    JSON.stringify(Object.keys(state.space).map((name) => configuration[name])),
  )
  return all.filter((_, i) => keys.indexOf(keys[i]!) === i)
}

const pointsOf = (state: StudyState, encoding: Encoding, matches: (trial: Trial) => boolean) =>
  state.trials.filter(matches).map(({ configuration }) => encoding.encode(configuration))

/** The next open place of the even sequence. */
const chooseSpread = (state: StudyState, encoding: Encoding): Choice['next'] => {
  const { nominal } = encoding
  const failed = pointsOf(state, encoding, ({ outcome }) => outcome?.kind === 'failed')
  const tried = pointsOf(state, encoding, () => true)
  const from = state.trials.length
  const isOpen = (point: Float64Array) =>
    !tried.some((at) => areNear(point, at, nominal, 1e-9)) &&
    !failed.some((at) => areNear(point, at, nominal, failureRadius))
  // The index grows with the trials, so the sequence goes on where it stood; only closed places are jumped.
  const cubes = sobolPoints(nominal.length, state.seed, drawsMax, from)
  const points = cubes.map((cube) => encoding.fromCube(cube))
  return { configuration: encoding.decode(points.find(isOpen) ?? points[0]!), purpose: 'start' }
}

const chooseByBelief = (state: StudyState, encoding: Encoding): Choice | undefined => {
  const { trials, seed } = state
  const random = createRandom(seed, trials.length)
  const evidence = gatherEvidence(state, encoding)
  const surrogate = fitEvidence(evidence, state.memory, random)
  if (surrogate === undefined) return undefined
  const seconds = fitSeconds(state, encoding)
  const proposal = propose({
    encoding,
    evidence,
    surrogate,
    seconds,
    running: pointsOf(state, encoding, ({ outcome }) => outcome === undefined),
    failed: pointsOf(state, encoding, ({ outcome }) => outcome?.kind === 'failed'),
    random,
    wanderlust: wanderlustOf(state),
  })
  if (proposal === undefined) return undefined
  const isQuiet = proposal.gain < quietShare * Math.sqrt(surrogate.posterior.noise)
  return {
    next: { configuration: encoding.decode(proposal.point), purpose: proposal.purpose },
    memory: { ...surrogate.memory, ...(seconds && { secondsHyper: seconds.hyper }) },
    quietAsks: isQuiet ? state.quietAsks + 1 : 0,
  }
}
