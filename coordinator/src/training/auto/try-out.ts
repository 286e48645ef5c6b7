/** One trial of a study: a learner with its parameters on its features, fold by fold, until it is clearly worse. */
import type { FeatureSpec } from '@imlma/protocol/features'
import { metricsOf } from '@imlma/protocol/metrics'
import { Failure, invariant } from '@imlma/protocol/result'
import type { Outcome, StudyState, Trial } from '../../tuning/study-state.ts'
import type { Learner, TrainedModel, TrainingExamples } from '../learner.ts'
import { parametersFor } from '../parameters-for.ts'
import { toChoice, type Choice } from './auto-space.ts'
import type { AutoOptions, AutoParts } from './auto.ts'
import { createDiscarding, rungs } from './discard.ts'
import { shareOf } from './share.ts'
import { noErrors, withFold, type TrialErrors } from './trial-errors.ts'

interface Tried {
  readonly outcome: Outcome
  /** Where the trial came to its end and its learner judged itself on all rows. */
  readonly errors?: TrialErrors
}

type TrialOptions = Pick<AutoOptions, 'features' | 'folds' | 'seed' | 'metric' | 'discard'>

export const tryOut = async (
  auto: Omit<AutoParts, 'onTrial'>,
  options: TrialOptions,
  state: StudyState,
  { number, configuration }: Pick<Trial, 'number' | 'configuration'>,
): Promise<Tried> => {
  const { features, folds, metric = 'mse', discard = 'median' } = options
  const choice = toChoice(configuration, features.axes)
  const startedAt = auto.seconds()
  const rule = createDiscarding(discard, state)
  const onTheWay: (readonly [number, number])[] = []
  const isWorse = (resource: number, value: number): boolean => {
    onTheWay.push([resource, value])
    return rule.report(number, resource, value) === 'stop'
  }
  const ended = (kind: 'done' | 'discarded', value: number): Outcome => ({
    kind,
    value,
    seconds: auto.seconds() - startedAt,
    ...(onTheWay.length > 0 && { onTheWay }),
  })
  const train = (fold: number, share?: number): Promise<TrainedFold | undefined> =>
    trainOn(auto, options, number, choice, fold, share)
  try {
    for (const share of discard === 'halving' ? rungs : []) {
      const rung = await train(0, share)
      if (rung === undefined) continue
      const loss = lossOf(rung.trained, metric)
      if (isWorse(share, loss)) return { outcome: ended('discarded', loss) }
    }
    let sum = 0
    let errors: TrialErrors | undefined = noErrors
    for (let fold = 0; fold < folds; fold += 1) {
      const { trained, examples } = (await train(fold)) as TrainedFold
      sum += lossOf(trained, metric)
      errors = errors && withFold(errors, trained, examples.validation, fold)
      const mean = sum / (fold + 1)
      if (fold < folds - 1 && isWorse(fold + 1, mean)) return { outcome: ended('discarded', mean) }
    }
    return { outcome: ended('done', sum / folds), ...(errors && { errors }) }
  } catch (error) {
    if (error instanceof Failure)
      return { outcome: { kind: 'failed', reason: `${error.code}: ${error.message}` } }
    throw error
  }
}

const lossOf = ({ validation }: TrainedModel, metric: 'mse' | 'mae'): number =>
  metricsOf(validation)[metric] ?? Infinity

interface TrainedFold {
  readonly trained: TrainedModel
  readonly examples: TrainingExamples
}

/** Undefined where the share of the training rows is too small to say anything. */
const trainOn = async (
  { learners, parts, prepare, onStep }: Omit<AutoParts, 'onTrial'>,
  { features, seed }: TrialOptions,
  trial: number,
  { learner: name, features: wanted, parameters }: Choice,
  fold: number,
  share?: number,
): Promise<TrainedFold | undefined> => {
  const learner = learners.find((one) => one.name === name) as Learner
  const spec = features.specs[wanted] as FeatureSpec
  invariant(spec !== undefined, `there are features named ${wanted}`)
  const whole = prepare(spec, fold)
  const examples =
    share === undefined
      ? whole
      : await parts.recall(whole, `share ${share}`, async () => shareOf(whole, share))
  if (examples === undefined) return undefined
  // What was validated must not be learned from before the loss is known: no refit while searching.
  const trained = await learner.train(
    parts,
    examples,
    parametersFor(learner, { ...parameters, refit: false }),
    {
      seed,
      onProgress: (progress) => onStep?.(trial, name, progress),
      signal: new AbortController().signal,
    },
  )
  return { trained, examples }
}
