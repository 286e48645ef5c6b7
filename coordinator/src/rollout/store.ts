/** What must survive of a rollout: the last assignment of each agent, and which outcomes were already recorded. */

import { z } from 'zod'
import { epochMsSchema, nameSchema, sha256Schema } from '@imlma/protocol/wire'
import type { StateStore } from '../storage/states.ts'

const signedVersionSchema = z.object({
  version: z.number().int().min(1),
  envelopeSha256: sha256Schema,
  artifactSha256: sha256Schema,
})
const assignedVersionSchema = signedVersionSchema.extend({ shadow: signedVersionSchema.optional() })

const entrySchema = z.object({
  site: nameSchema,
  agent: nameSchema,
  assignment: z
    .object({
      counter: z.number().int().min(1),
      issuedAt: epochMsSchema,
      rootVersion: z.number().int().min(1),
      models: z.record(nameSchema, assignedVersionSchema),
    })
    .nullable(),
  /** Per model: the last outcome and pin that the registry was told. */
  recorded: z.record(nameSchema, z.object({ outcome: z.string(), pinned: z.boolean() })),
})

export type RolloutEntry = Readonly<z.infer<typeof entrySchema>>

export interface RolloutStore {
  readonly load: () => Promise<readonly RolloutEntry[]>
  /** Durable on return, all or none: a counter must be on disk before an agent sees it. */
  readonly save: (entries: readonly RolloutEntry[]) => Promise<void>
}

const room = 'rollout'

export const createRolloutStore = (states: StateStore, now: () => number): RolloutStore => ({
  load: async () => [...(await states.loadAll(room, entrySchema)).values()],
  save: (entries) =>
    states.saveAll(room, new Map(entries.map((entry) => [`${entry.site}/${entry.agent}`, entry])), now()),
})
