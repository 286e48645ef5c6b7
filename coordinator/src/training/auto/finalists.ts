/** Which trials of a study are worth a closer look: the best one, the best of every learner, and the next best. */
import type { StudyState } from '../../tuning/study-state.ts'
import { toChoice, type Choice } from './auto-space.ts'
import type { FeatureChoices } from '../feature-choices.ts'

export interface Finalist {
  readonly number: number
  readonly choice: Choice
  readonly value: number
}

/** Models that an average may be made of: each is trained once more and served at every forecast. */
const finalistsMax = 4

/** The best first. One that is none of them is never one again, however the study goes on. */
export const finalistsOf = ({ trials }: StudyState, axes: FeatureChoices['axes']): readonly Finalist[] => {
  const ranked = trials
    .flatMap(({ number, configuration, outcome }) =>
      outcome?.kind === 'done'
        ? [{ number, choice: toChoice(configuration, axes), value: outcome.value }]
        : [],
    )
    .toSorted((a, b) => a.value - b.value)
  const ofEach = new Map<string, Finalist>()
  for (const one of ranked) if (!ofEach.has(one.choice.learner)) ofEach.set(one.choice.learner, one)
  const [best] = ranked
  const wanted = best === undefined ? [] : [best, ...ofEach.values(), ...ranked]
  return distinct(wanted)
    .slice(0, finalistsMax)
    .toSorted((a, b) => a.value - b.value)
}

const distinct = (finalists: readonly Finalist[]): readonly Finalist[] => [
  ...new Map(finalists.map((one) => [JSON.stringify(one.choice), one])).values(),
]
