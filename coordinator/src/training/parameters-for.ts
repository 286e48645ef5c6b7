/** A learner's parameters out of what was given, with its defaults. */
import { Failure } from '@imlma/protocol/result'
import { z } from 'zod'
import type { Learner } from './learner.ts'

/** Throws `Failure` BAD_PARAMETERS. */
export const parametersFor = (
  { name, parametersSchema }: Learner,
  given: Readonly<Record<string, unknown>>,
): unknown => {
  const parsed = parametersSchema.safeParse(given)
  if (parsed.success) return parsed.data
  throw new Failure('BAD_PARAMETERS', `${name} cannot use its parameters: ${z.prettifyError(parsed.error)}`)
}
