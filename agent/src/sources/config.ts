/** What an agent's configuration says about its sources. */

import { z } from 'zod'
import { limits } from '@imlma/protocol/limits'
import { epochMsSchema, nameSchema } from '@imlma/protocol/wire'
import {
  dsmrSchema,
  fileSchema,
  httpSchema,
  modbusSchema,
  mqttSchema,
  standardInputSchema,
} from './config-kinds.ts'

const label = z.string().min(1).max(limits.nameLengthMax)

const pace = {
  /** Names the cursor: keep it over restarts. */
  name: nameSchema,
  /** Event seconds per real second. */
  speed: z.number().positive().max(1e9).exactOptional(),
  /** Days before live that are sent at once. */
  historyDays: z.number().min(0).max(3_660).exactOptional(),
  slotsPerAppendMax: z.int().min(1).max(limits.valuesPerSeriesMax).exactOptional(),
  backlogBatchesMax: z.int().min(1).max(100_000).exactOptional(),
  register: label.exactOptional(),
}

const simulatedSchema = z.object({
  kind: z.literal('simulated'),
  ...pace,
  meters: z.union([
    z.array(label).min(1).max(limits.seriesPerBatchMax),
    z.int().min(1).max(limits.seriesPerBatchMax),
  ]),
  seed: z.int().exactOptional(),
  intervalMs: z.int().min(limits.intervalMsMin).max(limits.intervalMsMax).exactOptional(),
  liveFrom: epochMsSchema.exactOptional(),
  temperatureRegister: label.exactOptional(),
  changes: z
    .array(
      z.object({ from: epochMsSchema, gain: z.number().positive(), meters: z.array(label).exactOptional() }),
    )
    .max(100)
    .exactOptional(),
})

const replaySchema = z.object({
  kind: z.literal('replay'),
  ...pace,
  path: z.string().min(1),
  timeColumn: z.string().exactOptional(),
  columns: z.array(z.string()).min(1).max(limits.seriesPerBatchMax).exactOptional(),
  intervalMs: z.int().min(limits.intervalMsMin).max(limits.intervalMsMax).exactOptional(),
  unit: z.string().max(32).exactOptional(),
  timeOffsetMinutes: z.int().min(-1_440).max(1_440).exactOptional(),
  delimiter: z.string().length(1).exactOptional(),
  /** Register by column name. */
  registers: z.record(z.string(), label).exactOptional(),
})

export const sourceConfigSchema = z.discriminatedUnion('kind', [
  simulatedSchema,
  replaySchema,
  mqttSchema,
  fileSchema,
  standardInputSchema,
  httpSchema,
  modbusSchema,
  dsmrSchema,
])
export type SourceConfig = z.infer<typeof sourceConfigSchema>

/** Sources of one agent; their names differ. */
export const sourceConfigsSchema = z
  .array(sourceConfigSchema)
  .max(64)
  .refine((all) => new Set(all.map(({ name }) => name)).size === all.length, {
    message: 'two sources share a name',
  })
  .refine((all) => all.filter(({ kind }) => kind === 'stdin').length <= 1, {
    message: 'standard input has one reader',
  })
