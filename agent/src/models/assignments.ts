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
  type Admission,
  type AdmissionTerms,
  type AdmittedEntry,
} from './admission.ts'
import { deploymentOf, type AgentState } from './agent-state.ts'
import { neededDigests, type DeploymentEvent } from './deployment-state.ts'
import type { ModelsAudit } from './audit-facts.ts'
import type { MachineRoom, Raised } from './machine-room.ts'
import { alarmKindOf, toDeploymentReason } from './reasons.ts'
import type { ShadowRoom } from './shadow/shadow-room.ts'
import { createTelling } from './shadow/telling.ts'
import type { ModelStore } from './store.ts'
import type { Trust } from './trust.ts'

export interface AssignmentsParts {
  readonly room: MachineRoom
  readonly shadows: Pick<ShadowRoom, 'stage'>
  readonly store: ModelStore
  readonly trust: Trust
  readonly raise: (alarm: Raised) => void
  readonly audit: ModelsAudit
}

type ModelEvent = readonly [model: string, event: DeploymentEvent]

/** Takes the payload of `desired`. Run it inside `room.exclusively`. Throws `Failure` where the disk does not take it. */
export const createAssignments = (
  { room, shadows, store, trust, raise, audit }: AssignmentsParts,
  address: Pick<AdmissionTerms, 'site' | 'agent' | 'clock' | 'verify'>,
) => {
  const raiseCode = (code: string, detail: string): void => {
    audit.record('desired-refused', { code, detail })
    raise({
      model: null,
      version: null,
      kind: alarmKindOf(code),
      level: 'act',
      value: null,
      limit: null,
      evidence: { code, detail: detail.slice(0, 500), channel: 'desired' },
    })
  }

  const toldShadows = createTelling({ room, store, trust, raiseCode })

  /** Payload of the assignment that was refused last for its time. */
  let expired: string | undefined

  /** The whole document was refused: an alarm, and the news of each known model that it claims to be about. */
  const decline = async (
    envelope: Envelope,
    code: Parameters<typeof toDeploymentReason>[0],
    detail: string,
  ) => {
    // Retained, it comes with every connect: what is too late or cannot be judged is said once.
    if (code === 'EXPIRED' && envelope.payload === expired) return
    if (code === 'EXPIRED') expired = envelope.payload
    raiseCode(code, detail)
    const { models } = room.state()
    const reason = toDeploymentReason(code)
    const events = Object.entries(claimedDesired(envelope)?.models ?? {}).flatMap(
      ([model, { manifest, mode }]): readonly ModelEvent[] => {
        const isNews = mode === 'active' && Object.hasOwn(models, model)
        const candidate = isNews ? claimedVersion(manifest) : undefined
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
    const kept = inUse ? await trust.openInstalled(model, sha256) : undefined
    if (kept?.ok === true && kept.value.mode !== 'shadow') return
    await store.saveManifest(sha256, envelope)
  }

  const toEvent = async ({ model, entry, claimed }: AdmittedEntry): Promise<readonly ModelEvent[]> => {
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
  const repeat = async ({ models, shadows: named }: Admission): Promise<void> => {
    for (const { model, entry } of models) {
      if (!entry.ok) continue
      const candidate = toInstalled(entry.value.manifest)
      const isNeeded = neededDigests(deploymentOf(room.state(), model)).includes(candidate.sha256)
      if (isNeeded) await keepManifest(model, candidate, entry.value.envelope)
    }
    const known = named.filter(({ model }) => knows(room.state(), model))
    const staged = shadows.stage(await toldShadows(known))
    await room.transact(
      models
        .filter(({ model }) => knows(room.state(), model))
        .map(({ model }) => [model, { kind: 'connected' }]),
      staged.alter,
    )
    await staged.act()
  }

  return async (payload: Uint8Array): Promise<void> => {
    // A retained message that was cleared arrives as nothing.
    if (payload.byteLength === 0) return
    const parsed = parseEnvelope(payload)
    if (!parsed.ok) return raiseCode(parsed.refusal.code, parsed.refusal.message)
    const envelope = parsed.value

    // Roots speak for themselves: each is verified by the one before it, whatever becomes of the rest.
    const before = trust.current().version
    const followed = await trust.follow(claimedDesired(envelope)?.roots ?? [])
    const { version: rootVersion } = trust.current()
    if (rootVersion > before) audit.record('root-followed', { from: before, to: rootVersion })
    if (!followed.ok) raiseCode(followed.refusal.code, followed.refusal.message)
    address.clock.follow(trust.current())

    const { desiredCounter, desiredSigners, models } = room.state()
    const admitted = admitDesired(envelope, {
      ...address,
      root: trust.current(),
      desiredCounter,
      desiredSigners,
    })
    if (!admitted.ok) return decline(envelope, admitted.refusal.code, admitted.refusal.message)
    const { counter, signers, repeated } = admitted.value
    if (repeated) return repeat(admitted.value)

    const places = new Set(Object.keys(models))
    const hasPlace = ({ model }: AdmittedEntry): boolean => {
      if (places.has(model) || places.size < limits.modelsPerAgentMax) return places.add(model) !== undefined
      raiseCode('TOO_LARGE', `${model}: this agent serves ${limits.modelsPerAgentMax} models already`)
      return false
    }
    const events: ModelEvent[] = []
    for (const each of admitted.value.models.filter(hasPlace)) events.push(...(await toEvent(each)))
    const staged = shadows.stage(await toldShadows(admitted.value.shadows.filter(hasPlace)))
    await room.transact(events, (state) =>
      staged.alter({ ...state, desiredCounter: counter, desiredSigners: [...signers] }),
    )
    const digest = audit.digestOf(envelope.payload)
    audit.recordOnce(`desired ${counter} ${digest}`, 'desired-accepted', { counter, digest, rootVersion })
    await staged.act()
  }
}

const knows = (state: AgentState, model: string): boolean => Object.hasOwn(state.models, model)
