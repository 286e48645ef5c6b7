/**
 * What one watcher has not been sent yet. Events keep their order and none is left out; of an agent's or a model's
 * state only the latest counts, so a slow watcher costs one entry an agent. When too many events wait, the mailbox is
 * closed: the watcher comes back with the last event it has seen and gets the rest from the registry.
 */

import type { Change } from './control.ts'

export interface Mailbox {
  /** False once the mailbox is closed. */
  readonly put: (change: Change) => boolean
  /** Everything that waits, events first. */
  readonly take: () => readonly Change[]
  readonly closed: () => boolean
}

export interface MailboxOptions {
  /** Events that may wait: a few rounds of training. More means that nobody is reading. */
  readonly eventsMax?: number
  /** Agents and models whose state may wait: more than a broker carries. */
  readonly statesMax?: number
}

export const createMailbox = ({ eventsMax = 1_000, statesMax = 4_096 }: MailboxOptions = {}): Mailbox => {
  let events: Change[] = []
  let states = new Map<string, Change>()
  let closed = false
  return {
    put: (change) => {
      if (closed) return false
      if (change.kind === 'audit') events.push(change)
      else states.set(keyOf(change), change)
      closed = events.length > eventsMax || states.size > statesMax
      if (closed) {
        events = []
        states = new Map()
      }
      return !closed
    },
    take: () => {
      const waiting = [...events, ...states.values()]
      events = []
      states = new Map()
      return waiting
    },
    closed: () => closed,
  }
}

const keyOf = (change: Exclude<Change, { kind: 'audit' }>): string => {
  switch (change.kind) {
    case 'agent':
      return `agent ${change.agent.site}/${change.agent.agent}`
    case 'model':
      return `model ${change.model.model}`
    case 'forecasts':
      return `forecasts ${change.model}`
  }
}
