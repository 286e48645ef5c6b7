/**
 * The loaded sessions of this agent. Serving closes what it replaces; a champion whose challenger is on probation must
 * stay loaded. So serving is lent a session, and it closes for good when serving has let go of it and nobody needs it.
 */

import { invariant } from '@imlma/protocol/result'
import type { Contract } from '@imlma/protocol/manifest'
import type { Serving, Session, SessionIdentity } from './serving.ts'

export interface Sessions {
  /** The session of this digest, loaded at most once. */
  readonly load: (path: string, identity: SessionIdentity, contract: Contract) => Promise<Session>
  readonly activate: (model: string, sha256: string) => void
  readonly deactivate: (model: string) => void
  /** Answers where the active one fails; undefined: nobody does. */
  readonly standIn: (model: string, sha256: string | undefined) => void
  /** What was loaded, for whoever else runs it; its `close` gives it back. */
  readonly lend: (model: string, sha256: string) => Session
  /** Everything else of this model closes, once nobody runs on it. */
  readonly retain: (model: string, digests: readonly string[]) => void
}

interface Slot {
  readonly session: Session
  lent: number
  needed: boolean
}

export const createSessions = (serving: Serving, onCloseFailed: (cause: unknown) => void): Sessions => {
  const slots = new Map<string, Slot>()
  const loading = new Map<string, Promise<Slot>>()
  const standIns = new Map<string, string>()
  const keyOf = (model: string, sha256: string): string => `${model}/${sha256}`

  const closeWhenFree = (slot: Slot): void => {
    if (slot.needed || slot.lent > 0) return
    const key = keyOf(slot.session.model, slot.session.sha256)
    if (slots.get(key) === slot) slots.delete(key)
    slot.session.close().catch(onCloseFailed)
  }

  const lend = (slot: Slot): Session => {
    slot.lent += 1
    let open = true
    return {
      ...slot.session,
      close: async () => {
        if (!open) return
        open = false
        slot.lent -= 1
        closeWhenFree(slot)
      },
    }
  }

  const slotOf = (model: string, sha256: string): Slot => {
    const slot = slots.get(keyOf(model, sha256))
    invariant(slot !== undefined, 'only what was loaded and proven is run')
    return slot
  }

  /** Two that ask for the same digest at the same time get the same session. */
  const open = (key: string, ...what: Parameters<Serving['load']>): Promise<Slot> => {
    const slot = serving
      .load(...what)
      .then((session) => {
        const loaded: Slot = { session, lent: 0, needed: true }
        slots.set(key, loaded)
        return loaded
      })
      .finally(() => loading.delete(key))
    loading.set(key, slot)
    return slot
  }

  return {
    load: async (path, identity, contract) => {
      const key = keyOf(identity.model, identity.sha256)
      const slot = slots.get(key) ?? (await (loading.get(key) ?? open(key, path, identity, contract)))
      slot.needed = true
      return slot.session
    },
    activate: (model, sha256) => serving.activate(lend(slotOf(model, sha256))),
    deactivate: serving.deactivate,
    standIn: (model, sha256) => {
      if (standIns.get(model) === sha256) return
      if (sha256 === undefined) standIns.delete(model)
      else standIns.set(model, sha256)
      serving.standIn?.(model, sha256 === undefined ? undefined : lend(slotOf(model, sha256)))
    },
    lend: (model, sha256) => lend(slotOf(model, sha256)),
    retain: (model, digests) => {
      for (const slot of slots.values()) {
        if (slot.session.model !== model || digests.includes(slot.session.sha256)) continue
        slot.needed = false
        closeWhenFree(slot)
      }
    },
  }
}
