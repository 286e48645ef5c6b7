/** The file of an agent's configuration: where readings come from, and what may differ from the defaults. */

import { z } from 'zod'
import { accept, refuse, type Result } from '@imlma/protocol/result'
import { sourceConfigsSchema } from './sources/config.ts'

export const configurationSchema = z.strictObject({
  sources: sourceConfigsSchema.default([]),
  /** Milliseconds of real time between two monitoring windows. */
  reportEveryMs: z.int().min(100).max(3_600_000).default(10_000),
  /** Bytes of readings that wait for the control centre; beyond, the oldest are dropped and counted. */
  outboxBytesMax: z
    .int()
    .min(1_048_576)
    .max(2 ** 40)
    .default(256 * 1_048_576),
  /** Milliseconds of silence after which an interval closes without its last meters. */
  settleMs: z.int().min(10).max(600_000).default(1_000),
})
export type Configuration = Readonly<z.infer<typeof configurationSchema>>

export const defaultConfiguration: Configuration = configurationSchema.parse({})

/** The configuration in a file's text; the refusal names every field that is wrong. */
export const parseConfiguration = (text: string): Result<Configuration, 'BAD_CONFIGURATION'> => {
  const hint = 'mend the file that --config names'
  let document: unknown
  try {
    document = JSON.parse(text)
  } catch (cause) {
    return refuse('BAD_CONFIGURATION', `no JSON: ${cause instanceof Error ? cause.message : ''}`, hint)
  }
  const parsed = configurationSchema.safeParse(document)
  if (parsed.success) return accept(parsed.data)
  const issues = parsed.error.issues.map(({ path, message }) => `${path.join('.') || 'document'}: ${message}`)
  return refuse('BAD_CONFIGURATION', issues.join('; '), hint)
}
