/**
 * Everything about models that must survive a power cut, in one document: what a command did and what it answered are
 * written in the same moment, so that after a cut either both happened or neither.
 */

import { z } from 'zod'
import { limits } from '@imlma/protocol/limits'
import { nameSchema, resultSchema } from '@imlma/protocol/wire'
import { deploymentSchema, emptyDeployment, type Deployment } from './deployment-state.ts'

/** Commands remembered with their results. Older ones are recognised by their counter, as replays. */
export const commandsKnownMax = 128

const commandRecordSchema = z.object({
  commandId: nameSchema,
  result: resultSchema,
  /** True once the broker has acknowledged this result. */
  delivered: z.boolean(),
})
export type CommandRecord = Readonly<z.infer<typeof commandRecordSchema>>

const ledgerSchema = z.object({
  /** Highest counter seen per technician's key. */
  highest: z.record(z.string().max(128), z.number().int().min(1)),
  /** Oldest first. */
  known: z.array(commandRecordSchema).max(commandsKnownMax),
})
export type Ledger = Readonly<z.infer<typeof ledgerSchema>>

export const agentStateSchema = z.object({
  v: z.literal(1),
  /** Counter of the last assignment that was accepted. */
  desiredCounter: z.number().int().min(0),
  models: z
    .record(nameSchema, deploymentSchema)
    .refine((models) => Object.keys(models).length <= limits.modelsPerAgentMax, 'too many models'),
  commands: ledgerSchema,
})
export type AgentState = Readonly<z.infer<typeof agentStateSchema>>

export const emptyAgentState: AgentState = {
  v: 1,
  desiredCounter: 0,
  models: {},
  commands: { highest: {}, known: [] },
}

export const deploymentOf = (state: AgentState, model: string): Deployment =>
  Object.hasOwn(state.models, model) ? (state.models[model] as Deployment) : emptyDeployment

/** What `state.lowdb.ts` found: a state, nothing yet, or a file that is none and was moved aside. */
export type Stored =
  { readonly kind: 'state'; readonly state: AgentState } | { readonly kind: 'none' | 'corrupt' }

export interface StateFile {
  readonly read: () => Promise<Stored>
  /** The state is on disk when this resolves. Throws `Failure` NO_SPACE, WRITE_FAILED. */
  readonly write: (state: AgentState) => Promise<void>
}
