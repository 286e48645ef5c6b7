/**
 * Everything about models that must survive a power cut, in one document: what a command did and what it answered are
 * written in the same moment, so that after a cut either both happened or neither.
 */

import { z } from 'zod'
import { limits } from '@imlma/protocol/limits'
import { nameSchema, resultSchema } from '@imlma/protocol/wire'
import { crashesSchema } from './crashes.ts'
import { deploymentSchema, emptyDeployment, neededDigests, type Deployment } from './deployment-state.ts'
import { loadedDigest, neededDigest, noShadow, shadowSchema, type Shadow } from './shadow/shadow-state.ts'

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
  /** Directors' keys that signed it; unknown in the files of agents that kept none. */
  desiredSigners: z.array(z.string().max(128)).max(limits.signaturesMax).default([]),
  models: z
    .record(nameSchema, deploymentSchema)
    .refine((models) => Object.keys(models).length <= limits.modelsPerAgentMax, 'too many models'),
  /** What runs beside the champions; absent in the files of agents that knew no shadow. */
  shadows: z.record(nameSchema, shadowSchema).default({}),
  /** Workers that were lost at work; absent in the files of agents that ran models in their own process. */
  crashes: crashesSchema.default([]),
  commands: ledgerSchema,
})
export type AgentState = Readonly<z.infer<typeof agentStateSchema>>

export const emptyAgentState: AgentState = {
  v: 1,
  desiredCounter: 0,
  desiredSigners: [],
  models: {},
  shadows: {},
  crashes: [],
  commands: { highest: {}, known: [] },
}

export const deploymentOf = (state: AgentState, model: string): Deployment =>
  Object.hasOwn(state.models, model) ? (state.models[model] as Deployment) : emptyDeployment

export const shadowOf = (state: AgentState, model: string): Shadow =>
  Object.hasOwn(state.shadows, model) ? (state.shadows[model] as Shadow) : noShadow

/** Digests whose files must stay on disk, of all models. */
export const digestsNeeded = ({ models, shadows }: AgentState): readonly string[] => [
  ...Object.values(models).flatMap(neededDigests),
  ...Object.values(shadows).flatMap((shadow) => neededDigest(shadow) ?? []),
]

/** Digests of one model whose sessions may still be wanted. */
export const digestsLoaded = (state: AgentState, model: string): readonly string[] => {
  const deployment = deploymentOf(state, model)
  const challenger = deployment.phase === 'idle' ? null : deployment.attempt.challenger
  return [
    ...[deployment.champion, challenger].flatMap((version) => (version === null ? [] : [version.sha256])),
    ...[loadedDigest(shadowOf(state, model))].filter((digest) => digest !== undefined),
  ]
}

/** What `state.lowdb.ts` found: a state, nothing yet, or a file that is none and was moved aside. */
export type Stored =
  { readonly kind: 'state'; readonly state: AgentState } | { readonly kind: 'none' | 'corrupt' }

export interface StateFile {
  readonly read: () => Promise<Stored>
  /** The state is on disk when this resolves. Throws `Failure` NO_SPACE, WRITE_FAILED. */
  readonly write: (state: AgentState) => Promise<void>
}
