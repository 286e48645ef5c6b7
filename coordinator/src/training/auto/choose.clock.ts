/** What a training job is to train: the learner it names, or the one that a study finds. */

import type { FeatureSpec } from '@imlma/protocol/features'
import { Failure } from '@imlma/protocol/result'
import { z } from 'zod'
import type { SnapshotContent } from '../../datasets/snapshot.ts'
import { rollingOrigin, type TrainingSplit } from '../../datasets/split.ts'
import type { StudyState } from '../../tuning/study-state.ts'
import type { TrainingJob } from '../job.ts'
import type { Learner, LearnerParts, TrainingRun } from '../learner.ts'
import { learnerNamed, tunableLearners } from '../learners.ts'
import { prepareExamples } from '../prepare.ts'
import { chooseModel } from './auto.ts'
import { keepLatest } from './keep-latest.ts'

/** Rows of a trial's training part: a comparison of configurations needs fewer than the final model. */
const trialRowsMax = 20_000

export interface StudyListener {
  readonly onTrial?: (study: StudyState) => Promise<void>
}

export interface Choosing {
  readonly content: Pick<SnapshotContent, 'series' | 'covariates'>
  readonly split: TrainingSplit
  readonly recipe: FeatureSpec
  readonly parts: LearnerParts
}

export interface Chosen {
  readonly learner: Learner
  readonly parameters: unknown
  readonly spec: FeatureSpec
  readonly study?: StudyState
}

/** Throws `Failure` UNKNOWN_LEARNER, BAD_PARAMETERS, NO_TRIAL, TOO_FEW_ROWS. */
export const choose = async (
  job: TrainingJob,
  { content, split, recipe, parts }: Choosing,
  { onProgress, onTrial }: Pick<TrainingRun, 'onProgress'> & StudyListener,
): Promise<Chosen> => {
  if (job.learner !== 'auto') {
    const learner = learnerNamed(job.learner)
    return { learner, parameters: parseParameters(learner, job.parameters), spec: recipe }
  }
  const { trials = 30, folds = 2, secondsMax = 600, resume, past } = job.study ?? {}
  const features = { default: recipe }
  const splits = rollingOrigin(split, { ...job.task, folds })
  const { choice, state } = await chooseModel(
    {
      learners: tunableLearners,
      parts,
      prepare: keepLatest((spec, fold) =>
        prepareExamples(content, spec, splits[fold] as TrainingSplit, {
          ...job.task,
          rowsMax: Math.min(trialRowsMax, job.task.rowsMax ?? trialRowsMax),
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
      ...(resume === undefined ? {} : { resume }),
      ...(past === undefined ? {} : { past }),
    },
  )
  const learner = learnerNamed(choice.learner)
  return {
    learner,
    parameters: parseParameters(learner, choice.parameters),
    spec: features[choice.features as keyof typeof features],
    study: state,
  }
}

const parseParameters = (learner: Learner, given: Readonly<Record<string, unknown>>): unknown => {
  const parsed = learner.parametersSchema.safeParse(given)
  if (parsed.success) return parsed.data
  throw new Failure(
    'BAD_PARAMETERS',
    `${learner.name} cannot use its parameters: ${z.prettifyError(parsed.error)}`,
  )
}
