/** The director's word to one agent: which version of each model it is to serve. */

import { z } from 'zod'
import { limits } from '../limits.ts'
import { epochMsSchema, headerSchema, nameSchema } from '../wire/header.ts'
import { envelopeSchema } from './envelope.ts'

export const desiredPayloadType = 'application/vnd.imlma.desired+json'

/**
 * What one model is to do. `active`: serve `manifest`, and run `shadow`, where there is one, beside it. `shadow`: keep what
 * is served, whichever it is, and run `manifest` beside it. A shadow that is not named any more ends.
 */
const desiredModelSchema = z
  .object({
    manifest: envelopeSchema,
    mode: z.enum(['active', 'shadow']),
    shadow: envelopeSchema.optional(),
  })
  .refine(({ mode, shadow }) => mode === 'active' || shadow === undefined, {
    message: 'an entry of mode shadow names its one challenger as manifest',
  })

export const desiredSchema = headerSchema.extend({
  site: nameSchema,
  agent: nameSchema,
  /** Grows with every assignment of this agent; the same one again (it is retained) changes nothing. */
  counter: z.number().int().min(1).max(Number.MAX_SAFE_INTEGER),
  issuedAt: epochMsSchema,
  expiresAt: epochMsSchema,
  models: z
    .record(nameSchema, desiredModelSchema)
    .refine((models) => Object.keys(models).length <= limits.modelsPerAgentMax, {
      message: `at most ${limits.modelsPerAgentMax} models`,
    }),
  /** Trust roots newer than the first one, oldest first, for agents that have not followed yet. */
  roots: z.array(envelopeSchema).max(limits.rootsPerDesiredMax).optional(),
})
export type Desired = z.infer<typeof desiredSchema>
