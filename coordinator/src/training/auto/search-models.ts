/**
 * Which learner, with which parameters, on which features? A study over all of them together, judged by rolling-origin
 * validation: every trial is trained on what came before each block and asked about the block.
 *
 *   ask → rungs of fold 1, fold 1 … fold K (a trial clearly worse than others ends early) → tell → stored → ask …
 *
 * The state is handed out after every trial; a study that is taken up again goes on after its last finished one.
 */

import { Failure } from '@imlma/protocol/result'
import { objectionToConfiguration } from '../../tuning/encoding.ts'
import { createStudy, resumeStudy, type Study } from '../../tuning/study.ts'
import type { StudyState } from '../../tuning/study-state.ts'
import type { AutoOptions, AutoParts } from './auto.ts'
import { defaultConfigurations, toAutoSpace } from './auto-space.ts'
import { finalistsOf } from './finalists.ts'
import type { TrialErrors } from './trial-errors.ts'
import { tryOut } from './try-out.ts'

export interface Searched {
  readonly state: StudyState
  /** What finalists got wrong, by trial; of a study that was taken up again, only those of the later trials. */
  readonly errors: ReadonlyMap<number, TrialErrors>
}

/** Throws `Failure` NO_TRIAL when every trial failed. */
export const searchModels = async (auto: AutoParts, options: AutoOptions): Promise<Searched> => {
  const study = openStudy(auto, options)
  const errors = new Map<number, TrialErrors>()
  const startedAt = auto.seconds()
  while (!isOver(study, options) && auto.seconds() - startedAt < options.secondsMax) {
    const trial = study.ask()
    const tried = await tryOut(auto, options, study.state, trial)
    study.tell(trial.number, tried.outcome)
    if (tried.errors !== undefined) errors.set(trial.number, tried.errors)
    const wanted = new Set(finalistsOf(study.state, options.features.axes).map(({ number }) => number))
    for (const number of errors.keys()) if (!wanted.has(number)) errors.delete(number)
    await auto.onTrial(study.state, study.state.trials.length)
  }
  if (study.best() === undefined) {
    throw new Failure('NO_TRIAL', `none of ${study.state.trials.length} trials could be finished`, {
      hint: reasonsOf(study.state),
    })
  }
  return { state: study.state, errors }
}

const openStudy = ({ learners }: AutoParts, { features, seed, resume, past }: AutoOptions): Study => {
  const space = toAutoSpace(learners, features.axes)
  // What an earlier program asked about other learners or features cannot go on.
  const isOurs = resume?.trials.every(
    ({ configuration }) => objectionToConfiguration(space, configuration) === undefined,
  )
  if (resume !== undefined && isOurs) return resumeStudy(withoutOpenTrial(resume))
  return createStudy({
    space,
    seed,
    given: defaultConfigurations(learners, features.axes),
    ...(past === undefined ? {} : { past }),
  })
}

/** The trial that a kill interrupted is asked for again. */
const withoutOpenTrial = (state: StudyState): StudyState => ({
  ...state,
  trials: state.trials.filter(({ outcome }) => outcome !== undefined),
})

const isOver = (study: Study, { trials }: AutoOptions): boolean =>
  study.state.trials.length >= trials || study.isExhausted()

const reasonsOf = ({ trials }: StudyState): string =>
  [...new Set(trials.flatMap(({ outcome }) => (outcome?.kind === 'failed' ? [outcome.reason] : [])))]
    .slice(0, 3)
    .join('; ')
