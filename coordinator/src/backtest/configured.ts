/** A learner as a task wants it: what the task sets is no longer searched. */
import { z } from 'zod'
import type { Learner } from '../training/learner.ts'
import type { BacktestTask } from './task.ts'

/** What the task sets is the learner's default, and no trial changes it. */
export const asTaskSays = (learner: Learner, task: BacktestTask): Learner =>
  withFixed(learner, task.parameters[learner.name] ?? {})

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
