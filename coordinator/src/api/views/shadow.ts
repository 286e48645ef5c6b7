/** What people see of a version in shadow: beside whom, how far its proof is, and how it ended. */

import { z } from 'zod'
import { shadowEnds } from '../../registry/events.ts'
import { count, epochMsSchema, evidenceSchema, versionNumberSchema } from './common.ts'

/** Of a version: its time in shadow. */
export const versionShadowSchema = z.object({
  /** The version that it is compared with. */
  champion: versionNumberSchema,
  /** Of the manifest that allows the shadow alone. */
  release: z.number().int().min(1),
  startedAt: epochMsSchema,
  /** Null while it lasts. */
  ended: z.object({ at: epochMsSchema, reason: z.enum(shadowEnds), evidence: evidenceSchema }).nullable(),
})

/** Of a model: the proof that is under way. */
export const shadowProgressSchema = z.object({
  version: versionNumberSchema,
  champion: versionNumberSchema,
  /** Days of pairs that the tests have seen, and after how many it leaves without a proof. */
  days: count,
  daysMax: count,
  /** Pairs in those days; those that came after their day was closed are not used. */
  pairs: count,
  latePairs: count,
  /** Agents that have reported a comparison. */
  agents: count,
  /** Evidence for better and for worse, and how much makes a verdict. */
  evidence: z.number(),
  worse: z.number(),
  needed: z.number(),
})
