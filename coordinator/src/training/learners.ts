/** The learners by name. */
import { Failure } from '@imlma/protocol/result'
import type { Learner } from './learner.ts'
import { perceptron } from './perceptron/perceptron.ts'
import { recurrent } from './recurrent/recurrent.ts'
import { ridge } from './ridge.ts'
import { seasonalNaive } from './seasonal-naive.ts'
import { trees } from './trees/trees.ts'

/** Those that a study chooses from; seasonal naive is what all of them are measured against. */
export const tunableLearners = [ridge, trees, perceptron] as readonly Learner[]

const learners = [...tunableLearners, recurrent as Learner, seasonalNaive as Learner]

/** Every name that can be asked for. */
export const learnerNames: readonly string[] = learners.map(({ name }) => name)

/** Each once. Throws `Failure` UNKNOWN_LEARNER. */
export const learnersNamed = (names: readonly string[]): readonly Learner[] =>
  [...new Set(names)].map(learnerNamed)

/** Throws `Failure` UNKNOWN_LEARNER. */
export const learnerNamed = (name: string): Learner => {
  const found = learners.find((learner) => learner.name === name)
  if (found !== undefined) return found
  throw new Failure('UNKNOWN_LEARNER', `there is no learner ${name}`, {
    hint: `choose one of ${learnerNames.join(', ')}`,
  })
}
