/** A learner as a task wants it: what the task sets is no longer searched. */
import { z } from 'zod'
import type { Learner } from '../training/learner.ts'
import { ridge } from '../training/ridge.ts'
import type { BacktestTask } from './task.ts'

/** What the task sets is the learner's default, and no trial changes it. */
export const asTaskSays = (learner: Learner, task: BacktestTask): Learner =>
  withFixed(learner, { ...usualFor(learner, task), ...task.parameters[learner.name] })

/** Ridge normalises by a mean and a deviation; where the features hold none, by the last value or not at all. */
const usualFor = ({ name }: Learner, { kind, features }: BacktestTask): Readonly<Record<string, unknown>> => {
  if (name !== ridge.name || features?.every(({ statistics }) => statistics.length > 0) === true) return {}
  return { normalisation: { level: kind === 'regression' ? 'none' : 'last', scale: 'none' } }
}

const withFixed = (learner: Learner, fixed: Readonly<Record<string, unknown>>): Learner => ({
  ...learner,
  parametersSchema: z.looseObject({}).transform((given, context) => {
    const parsed = learner.parametersSchema.safeParse({ ...given, ...fixed })
    if (parsed.success) return parsed.data
    context.addIssue({ code: 'custom', message: z.prettifyError(parsed.error) })
    return z.NEVER
  }),
  space: Object.fromEntries(Object.entries(learner.space).filter(([name]) => !(name in fixed))),
})
