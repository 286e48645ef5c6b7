/**
 * Carries out the director's word: verify → trust → persist → act, in this order and nowhere else.
 *
 *   bytes ─parse▶ envelope ─roots▶ newest root (on disk before it is used) ─admit▶ assignment
 *         ─keep▶ manifests on disk ─step▶ machines, counter and outcomes in one write ─▶ effects
 */

import { limits } from '@imlma/protocol/limits'
import { parseEnvelope, type Envelope } from '@imlma/protocol/trust'
import type { InstalledVersion } from '@imlma/protocol/wire'
import {
  admitDesired,
  claimedDesired,
  claimedVersion,
  toInstalled,
  type AdmissionTerms,
  type AdmittedModel,
} from './admission.ts'
import { deploymentOf, type AgentState } from './agent-state.ts'
import { neededDigests, type DeploymentEvent } from './deployment-state.ts'
import type { MachineRoom, Raised } from './machine-room.ts'
import { alarmKindOf, toDeploymentReason } from './reasons.ts'
import type { ModelStore } from './store.ts'
import type { Trust } from './trust.ts'

export interface AssignmentsParts {
  readonly room: MachineRoom
  readonly store: ModelStore
  readonly trust: Trust
  readonly raise: (alarm: Raised) => void
}

type ModelEvent = readonly [model: string, event: DeploymentEvent]

/** Takes the payload of `desired`. Run it inside `room.exclusively`. Throws `Failure` where the disk does not take it. */
export const createAssignments = (
  { room, store, trust, raise }: AssignmentsParts,
  address: Pick<AdmissionTerms, 'site' | 'agent' | 'clock' | 'verify'>,
) => {
  const raiseCode = (code: string, detail: string): void =>
    raise({
      model: null,
      version: null,
      kind: alarmKindOf(code),
      level: 'act',
      value: null,
      limit: null,
      evidence: { code, detail: detail.slice(0, 500), channel: 'desired' },
    })

  /** The whole document was refused: an alarm, and the news of each known model that it claims to be about. */
  const decline = async (
    envelope: Envelope,
    code: Parameters<typeof toDeploymentReason>[0],
    detail: string,
  ) => {
    raiseCode(code, detail)
    const { models } = room.state()
    const reason = toDeploymentReason(code)
    const events = Object.entries(claimedDesired(envelope)?.models ?? {}).flatMap(
      ([model, { manifest }]): readonly ModelEvent[] => {
        const candidate = Object.hasOwn(models, model) ? claimedVersion(manifest) : undefined
        return candidate === undefined ? [] : [[model, { kind: 'declined', candidate, reason, detail }]]
      },
    )
    await room.transact(events)
  }

  /** On disk before the machine hears of it. What is in use keeps the manifest that it was verified with. */
  const keepManifest = async (
    model: string,
    { sha256 }: InstalledVersion,
    envelope: Envelope,
  ): Promise<void> => {
    const inUse = neededDigests(deploymentOf(room.state(), model)).includes(sha256)
    if (inUse && (await trust.openInstalled(model, sha256)).ok) return
    await store.saveManifest(sha256, envelope)
  }

  const toEvent = async ({ model, entry, claimed }: AdmittedModel): Promise<readonly ModelEvent[]> => {
    if (!entry.ok) {
      const { code, message } = entry.refusal
      const reason = toDeploymentReason(code)
      if (claimed !== undefined)
        return [[model, { kind: 'declined', candidate: claimed, reason, detail: message }]]
      raiseCode(code, `${model}: ${message}`)
      return []
    }
    const candidate = toInstalled(entry.value.manifest)
    const { quarantined } = deploymentOf(room.state(), model)
    if (!quarantined.includes(candidate.sha256)) await keepManifest(model, candidate, entry.value.envelope)
    const onDisk = (await store.verify(candidate.sha256)).ok
    return [[model, { kind: 'assigned', candidate, onDisk }]]
  }

  /** Nothing new is said, but a manifest that was damaged here may be mended, and what waits may be tried again. */
  const repeat = async (models: readonly AdmittedModel[]): Promise<void> => {
    for (const { model, entry } of models) {
      if (!entry.ok) continue
      const candidate = toInstalled(entry.value.manifest)
      const isNeeded = neededDigests(deploymentOf(room.state(), model)).includes(candidate.sha256)
      if (isNeeded) await keepManifest(model, candidate, entry.value.envelope)
    }
    await room.transact(
      models
        .filter(({ model }) => knows(room.state(), model))
        .map(({ model }) => [model, { kind: 'connected' }]),
    )
  }

  return async (payload: Uint8Array): Promise<void> => {
    // A retained message that was cleared arrives as nothing.
    if (payload.byteLength === 0) return
    const parsed = parseEnvelope(payload)
    if (!parsed.ok) return raiseCode(parsed.refusal.code, parsed.refusal.message)
    const envelope = parsed.value

    // Roots speak for themselves: each is verified by the one before it, whatever becomes of the rest.
    const followed = await trust.follow(claimedDesired(envelope)?.roots ?? [])
    if (!followed.ok) raiseCode(followed.refusal.code, followed.refusal.message)

    const { desiredCounter, models } = room.state()
    const admitted = admitDesired(envelope, { ...address, root: trust.current(), desiredCounter })
    if (!admitted.ok) return decline(envelope, admitted.refusal.code, admitted.refusal.message)
    const { counter, repeated } = admitted.value
    if (repeated) return repeat(admitted.value.models)

    const events: ModelEvent[] = []
    let placesLeft = limits.modelsPerAgentMax - Object.keys(models).length
    for (const each of admitted.value.models) {
      if (!knows(room.state(), each.model)) placesLeft -= 1
      if (placesLeft < 0)
        raiseCode('TOO_LARGE', `${each.model}: this agent serves ${limits.modelsPerAgentMax} models already`)
      else events.push(...(await toEvent(each)))
    }
    await room.transact(events, (state) => ({ ...state, desiredCounter: counter }))
  }
}

const knows = (state: AgentState, model: string): boolean => Object.hasOwn(state.models, model)
