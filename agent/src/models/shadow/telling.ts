/**
 * What the director's word means for the shadows: who is named, who is not believed, who is not named any more. The
 * manifest of what is named is on disk before the machine hears of it.
 */

import type { AdmittedEntry } from '../admission.ts'
import { toInstalled } from '../admission.ts'
import { deploymentOf } from '../agent-state.ts'
import type { MachineRoom } from '../machine-room.ts'
import { toDeploymentReason } from '../reasons.ts'
import type { ModelStore } from '../store.ts'
import type { Trust } from '../trust.ts'
import type { ShadowEvent } from './shadow-state.ts'

interface Parts {
  readonly room: Pick<MachineRoom, 'state'>
  readonly store: Pick<ModelStore, 'saveManifest' | 'verify'>
  readonly trust: Pick<Trust, 'openInstalled'>
  readonly raiseCode: (code: string, detail: string) => void
}

/** The events of every model that is named or was, from one assignment. Throws `Failure` where the disk does not take it. */
export const createTelling = ({ room, store, trust, raiseCode }: Parts) => {
  const toEvent = async ({ model, entry, claimed }: AdmittedEntry): Promise<ShadowEvent> => {
    if (!entry.ok) {
      const { code, message } = entry.refusal
      if (claimed !== undefined) {
        return { kind: 'declined', candidate: claimed, reason: toDeploymentReason(code), detail: message }
      }
      raiseCode(code, `${model}: ${message}`)
      return { kind: 'dismissed' }
    }
    const { manifest, envelope } = entry.value
    const candidate = toInstalled(manifest)
    const { sha256 } = candidate
    const { quarantined } = deploymentOf(room.state(), model)
    // A manifest with which these bytes may also serve is worth more: a technician's way back hangs on it.
    const kept = await trust.openInstalled(model, sha256)
    const keeps = kept.ok && kept.value.mode !== 'shadow'
    if (!keeps && !quarantined.includes(sha256)) await store.saveManifest(sha256, envelope)
    return { kind: 'told', candidate, onDisk: (await store.verify(sha256)).ok }
  }

  return async (named: readonly AdmittedEntry[]): Promise<readonly (readonly [string, ShadowEvent])[]> => {
    const events = new Map<string, ShadowEvent>()
    for (const model of Object.keys(room.state().shadows)) events.set(model, { kind: 'dismissed' })
    for (const each of named) events.set(each.model, await toEvent(each))
    return [...events]
  }
}
