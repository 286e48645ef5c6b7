/** What the fleet must still know after a restart. It is what was heard, not the truth: losing the last seconds is fine. */

import { z } from 'zod'
import { errorSumsSchema } from '@imlma/protocol/metrics'
import {
  coverageSchema,
  epochMsSchema,
  headerSchema,
  histogramSchema,
  nameSchema,
  presenceSchema,
  reportedSchema,
  reportSchema,
  versionWindowSchema,
} from '@imlma/protocol/wire'

const count = z.number().int().min(0)

export const storedAgentSchema = headerSchema.extend({
  record: z.object({
    site: nameSchema,
    agent: nameSchema,
    presence: presenceSchema.nullable(),
    heardAt: epochMsSchema,
    reported: reportedSchema.nullable(),
    windows: z.record(z.string(), versionWindowSchema),
    process: reportSchema.shape.process.nullable(),
  }),
  reports: z.array(z.string()),
})
export type StoredAgent = z.infer<typeof storedAgentSchema>

export const storedPerformanceSchema = headerSchema.extend({
  sums: z.object({
    model: nameSchema,
    version: z.number().int().min(1),
    runs: count,
    failures: count,
    errors: errorSumsSchema,
    baseline: errorSumsSchema,
    inputs: z.record(z.string(), histogramSchema),
    coverage: coverageSchema.optional(),
  }),
  latency: z.instanceof(Uint8Array).nullable(),
})
export type StoredPerformance = z.infer<typeof storedPerformanceSchema>

export interface FleetStore {
  /** What cannot be read any more is left out: it is reported again soon. */
  readonly load: () => Promise<{
    readonly agents: readonly StoredAgent[]
    readonly performance: readonly StoredPerformance[]
  }>
  /** All in one transaction. */
  readonly save: (agents: readonly StoredAgent[], performance: readonly StoredPerformance[]) => Promise<void>
}
