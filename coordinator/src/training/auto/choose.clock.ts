/** What a training job is to train: the learner it names, or what a study finds. */

import { rollingOrigin, type TrainingSplit } from '../../datasets/split.ts'
import type { SnapshotContent } from '../../datasets/snapshot.ts'
import { featureCount, type FeatureSpec } from '@imlma/protocol/features'
import { Failure } from '@imlma/protocol/result'
import { z } from 'zod'
import type { StudyState } from '../../tuning/study-state.ts'
import type { FeatureChoices } from '../feature-choices.ts'
import type { TrainingJob } from '../job.ts'
import type { Learner, LearnerParts, TrainingRun } from '../learner.ts'
import { learnerNamed, learnersNamed, tunableLearners } from '../learners.ts'
import { parametersFor } from '../parameters-for.ts'
import { prepareExamples } from '../prepare.ts'
import { withFixed } from '../with-fixed.ts'
import { findModel, isAverage, type Winner } from './find-model.ts'
import { keepLatest } from './keep-latest.ts'

/** Rows of a trial's training part: a comparison of configurations needs fewer than the final model. */
const trialRowsMax = 20_000

/** Numbers of a trial's training part: 80 MB. Wide rows are fewer. */
const trialValuesMax = 20_000_000

export interface StudyListener {
  readonly onTrial?: (study: StudyState) => Promise<void>
}

export interface Choosing {
  readonly content: Pick<SnapshotContent, 'series' | 'covariates'>
  readonly split: TrainingSplit
  /** Of a job without a study the default is taken. */
  readonly features: FeatureChoices
  readonly parts: LearnerParts
}

/** What to train, and on what. */
export interface Chosen {
  readonly learner: Learner
  readonly parameters: unknown
  readonly spec: FeatureSpec
}

export interface Choice extends Chosen {
  readonly study?: StudyState
  /** To be trained where an average was chosen and turns out too slow or too large for a gateway. */
  readonly instead?: Chosen
}

/** Throws `Failure` UNKNOWN_LEARNER, BAD_PARAMETERS, NO_TRIAL, TOO_FEW_ROWS. */
export const choose = async (
  job: TrainingJob,
  { content, split, features, parts }: Choosing,
  { onProgress, onTrial }: Pick<TrainingRun, 'onProgress'> & StudyListener,
): Promise<Choice> => {
  if (job.learner !== 'auto') {
    const learner = learnerNamed(job.learner)
    const [spec] = Object.values(features.specs) as [FeatureSpec]
    return { learner, parameters: parametersFor(learner, job.parameters), spec }
  }
  const { trials = 30, folds = 2, secondsMax = 600, learners, resume, past, discard } = job.study ?? {}
  const splits = rollingOrigin(split, { ...job.task, folds })
  const { winner, single, state } = await findModel(
    {
      learners: (learners === undefined ? tunableLearners : learnersNamed(learners)).map((learner) =>
        asJobSays(learner, job),
      ),
      parts,
      prepare: keepLatest((spec, fold) =>
        prepareExamples(content, spec, splits[fold] as TrainingSplit, {
          ...job.task,
          rowsMax: trialRowsOf(spec, job.task.rowsMax),
        }),
      ),
      seconds: () => performance.now() / 1_000,
      onTrial: async (study, done) => {
        onProgress({ phase: 'tune', fraction: done / trials })
        await onTrial?.(study)
      },
    },
    {
      features,
      folds: splits.length,
      trials,
      seed: job.seed,
      secondsMax,
      ...(discard === undefined ? {} : { discard }),
      ...(resume === undefined ? {} : { resume }),
      ...(past === undefined ? {} : { past }),
    },
  )
  return {
    ...toChosen(winner),
    study: state,
    ...(isAverage(winner) && { instead: toChosen(single) }),
  }
}

/** Of `auto`, parameters are by learner, as in a backtest; what they set is not searched. */
const asJobSays = (learner: Learner, { parameters }: TrainingJob): Learner => {
  const given = z.record(z.string(), z.unknown()).default({}).safeParse(parameters[learner.name])
  if (!given.success) {
    const why = z.prettifyError(given.error)
    throw new Failure('BAD_PARAMETERS', `${learner.name} cannot use its parameters: ${why}`)
  }
  const fixed = withFixed(learner, given.data)
  // A value that it does not take is said at once, and not by every trial.
  parametersFor(fixed, {})
  return fixed
}

const trialRowsOf = (spec: FeatureSpec, rowsMax = trialRowsMax): number =>
  Math.min(rowsMax, trialRowsMax, Math.floor(trialValuesMax / featureCount(spec)))

const toChosen = ({ learner, parameters, spec }: Winner): Chosen => ({
  learner,
  parameters: parametersFor(learner, parameters),
  spec,
})
