/**
 * What a lost worker means for its version: noted in the crash book, and after too many of them the digest is
 * quarantined, as if a technician had done it. The machine then lets the previous version stand in.
 */

import type { DeploymentEvent } from './deployment-state.ts'
import { deploymentOf } from './agent-state.ts'
import { noteCrash } from './crashes.ts'
import type { MachineRoom, Raised } from './machine-room.ts'
import type { LostSession } from './serving.ts'

interface Parts {
  readonly room: Pick<MachineRoom, 'exclusively' | 'transact' | 'state'>
  readonly now: () => number
  readonly raise: (alarm: Raised) => void
  readonly onFailure: (cause: unknown) => void
}

/** Never rejects; resolves when it is on disk. */
export const createLostSessions =
  ({ room, now, raise, onFailure }: Parts) =>
  async (lost: LostSession): Promise<void> => {
    // Nothing ran: what ended it was not the model.
    if (!lost.atWork) return
    await room.exclusively(() => note(lost)).catch(onFailure)

    async function note({ model, version, sha256, cause, detail }: LostSession): Promise<void> {
      const { crashes, count, isCondemned } = noteCrash(room.state().crashes, sha256, now())
      const isNews = isCondemned && !deploymentOf(room.state(), model).quarantined.includes(sha256)
      const events: readonly (readonly [string, DeploymentEvent])[] = isNews
        ? [[model, { kind: 'quarantine', sha256 }]]
        : []
      await room.transact(events, (state) => ({ ...state, crashes }))
      raise({
        model,
        version,
        kind: 'deployment',
        level: isNews ? 'act' : 'watch',
        value: count,
        limit: null,
        evidence: { code: isNews ? 'QUARANTINED' : 'CRASHED', cause, detail: detail.slice(0, 500) },
      })
    }
  }
