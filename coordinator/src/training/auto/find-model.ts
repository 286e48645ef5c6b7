/**
 * What to train in the end: the best model of a study, or the average of its best few where the validation says that
 * it is better by more than noise. Decided by what trials got wrong on the validation parts, before any model saw them.
 */
import type { FeatureSpec } from '@imlma/protocol/features'
import type { StudyState } from '../../tuning/study-state.ts'
import type { Learner } from '../learner.ts'
import type { AutoOptions, AutoParts } from './auto.ts'
import { averageName, averageOf, type Member } from './average.ts'
import { finalistsOf, type Finalist } from './finalists.ts'
import { weightsOf } from './greedy.ts'
import { searchModels } from './search-models.ts'
import { onCommonRows, type TrialErrors } from './trial-errors.ts'
import { tryOut } from './try-out.ts'
import { unionSpec } from './union-spec.ts'

export interface Winner {
  readonly learner: Learner
  /** Only what was searched; the learner's defaults fill the rest. */
  readonly parameters: Readonly<Record<string, unknown>>
  /** The name of what it looks at. */
  readonly features: string
  readonly spec: FeatureSpec
  /** Validation loss that chose it. */
  readonly value: number
}

export interface FoundModel {
  readonly winner: Winner
  /** The best model alone, for where an average costs too much; the winner itself where there is no average. */
  readonly single: Winner
  readonly state: StudyState
}

export interface FindOptions extends AutoOptions {
  /** Whether the best few may be averaged. */
  readonly average?: boolean
}

/** Throws `Failure` NO_TRIAL when every trial failed. */
export const findModel = async (auto: AutoParts, options: FindOptions): Promise<FoundModel> => {
  const { state, errors } = await searchModels(auto, options)
  const finalists = finalistsOf(state, options.features.axes)
  const single = toWinner(auto, options, finalists[0] as Finalist)
  if (options.average === false || finalists.length < 2) return { winner: single, single, state }
  const candidates: Candidate[] = []
  for (const finalist of finalists) {
    const known = errors.get(finalist.number) ?? (await errorsOf(auto, options, state, finalist))
    if (known !== undefined) candidates.push({ ...toWinner(auto, options, finalist), errors: known })
  }
  const winner = averageOfBest(candidates, options.metric)
  return { winner: winner ?? single, single, state }
}

export interface Candidate extends Winner {
  readonly errors: TrialErrors
}

/**
 * The average of these, best first, where it is better than the best of them by more than noise; undefined where it is
 * not. One whose features do not fit the row of those before it is left out.
 */
export const averageOfBest = (
  ranked: readonly Candidate[],
  metric: 'mse' | 'mae' = 'mse',
): Winner | undefined => {
  const candidates = ranked.reduce<readonly Candidate[]>((fitting, one) => {
    const all = [...fitting, one]
    return unionSpec(all.map(({ spec }) => spec)) === undefined ? fitting : all
  }, [])
  const residuals = onCommonRows(candidates.map(({ errors }) => errors))
  if (residuals.length < 2 || residuals[0]?.length === 0) return undefined
  const { weights, loss } = weightsOf(residuals, metric)
  const members = candidates
    .flatMap((candidate, i): readonly Member[] => {
      const weight = weights[i] as number
      return weight > 0 ? [{ ...candidate, weight }] : []
    })
    .toSorted((a, b) => b.weight - a.weight)
  const spec = unionSpec(members.map((member) => member.spec))
  if (members.length < 2 || spec === undefined) return undefined
  const features = [...new Set(members.map((member) => member.features))].join(' + ')
  return { learner: averageOf(members), parameters: {}, features, spec, value: loss }
}

/** What a finalist got wrong, where the study that tried it was another process. */
const errorsOf = async (
  auto: AutoParts,
  options: FindOptions,
  state: StudyState,
  { number }: Finalist,
): Promise<TrialErrors | undefined> => {
  const trial = state.trials[number]
  if (trial === undefined) return undefined
  const { errors } = await tryOut(auto, { ...options, discard: 'none' }, state, trial)
  return errors
}

const toWinner = ({ learners }: AutoParts, options: FindOptions, finalist: Finalist): Winner => {
  const { choice, value } = finalist
  const { learner, parameters, features } = choice
  return {
    learner: learnerOf(learners, learner),
    parameters,
    features,
    spec: specOf(options, finalist),
    value,
  }
}

const specOf = ({ features }: FindOptions, { choice }: Finalist): FeatureSpec =>
  features.specs[choice.features] as FeatureSpec

const learnerOf = (learners: readonly Learner[], name: string): Learner =>
  learners.find((learner) => learner.name === name) as Learner

export const isAverage = ({ learner }: Pick<Winner, 'learner'>): boolean => learner.name === averageName
