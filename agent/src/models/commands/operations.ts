/** What a technician's words mean for the machine: which version is `previous`, which file is version 3. */

import { accept, refuse, type Result } from '@imlma/protocol/result'
import type { Command, CommandRefusal, InstalledVersion } from '@imlma/protocol/wire'
import { previousOf, type Deployment, type Directive } from '../deployment-state.ts'

/** A version of the model that left a verified manifest here, and whether its artifact is still there. */
export interface OnDisk {
  readonly installed: InstalledVersion
  readonly hasArtifact: boolean
  /** It was signed to run beside the champion only. */
  readonly shadowOnly: boolean
}

/** The directive for the machine, or why there is none. For `rollback`, `pin`, `unpin` and `quarantine`. */
export const toDirective = (
  { commandId, operation, target }: Command,
  state: Deployment,
  onDisk: readonly OnDisk[],
): Result<Directive, CommandRefusal> => {
  switch (operation) {
    case 'pin':
    case 'unpin':
      return accept({ kind: operation })
    case 'rollback': {
      const found = findVersion(target, state, onDisk)
      if (!found.ok) return found
      const { sha256 } = found.value
      if (state.quarantined.includes(sha256))
        return refuse('QUARANTINED', 'this digest is never served again here')
      if (onDisk.some(({ installed, shadowOnly }) => installed.sha256 === sha256 && shadowOnly)) {
        return refuse('SHADOW_ONLY', `version ${found.value.version} may only run beside the champion`)
      }
      const lies = onDisk.some(({ installed, hasArtifact }) => installed.sha256 === sha256 && hasArtifact)
      if (!lies) return refuse('NOT_ON_DISK', `version ${found.value.version} is not on this disk any more`)
      return accept({ kind: 'rollback', candidate: found.value, commandId })
    }
    case 'quarantine': {
      const found = findVersion(target, state, onDisk)
      return found.ok ? accept({ kind: 'quarantine', sha256: found.value.sha256 }) : found
    }
    case 'resend':
    case 'report':
      return refuse('MALFORMED', `${operation} is no matter of the deployment machine`)
  }
}

/** Versions in use come first, then what lies on disk, the highest release first. */
const findVersion = (
  target: Command['target'],
  state: Deployment,
  onDisk: readonly OnDisk[],
): Result<InstalledVersion, CommandRefusal> => {
  if (target === null) return refuse('MALFORMED', 'a version or previous must be named')
  const challenger = state.phase === 'idle' ? null : state.attempt.challenger
  const waiting = state.waiting?.candidate ?? null
  const inUse = [state.champion, challenger, state.previous, waiting].filter((version) => version !== null)
  const stored = onDisk.map(({ installed }) => installed).toSorted((a, b) => b.release - a.release)
  const found =
    target === 'previous'
      ? previousOf(state)
      : [...inUse, ...stored].find(({ version }) => version === target)
  return found === null || found === undefined
    ? refuse(
        'UNKNOWN_VERSION',
        target === 'previous' ? 'there is no previous version' : `version ${target} was never here`,
      )
    : accept(found)
}
