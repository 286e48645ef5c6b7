/** A learner some of whose parameters are decided: what is set is what it does, and no study changes it. */
import { z } from 'zod'
import type { Learner } from './learner.ts'

export const withFixed = (learner: Learner, fixed: Readonly<Record<string, unknown>>): Learner => ({
  ...learner,
  parametersSchema: z.looseObject({}).transform((given, context) => {
    const parsed = learner.parametersSchema.safeParse({ ...given, ...fixed })
    if (parsed.success) return parsed.data
    context.addIssue({ code: 'custom', message: z.prettifyError(parsed.error) })
    return z.NEVER
  }),
  space: Object.fromEntries(Object.entries(learner.space).filter(([name]) => !(name in fixed))),
})
