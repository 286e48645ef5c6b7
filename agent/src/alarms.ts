/** Alarms on their way to whoever listens: kept while there is no connection, the oldest dropped first. */

import { encodeJson, protocolVersion, type Alarm } from '@imlma/protocol/wire'
import type { Link } from './link/link.ts'

/** An alarm without its identity and time. */
export type Raised = Omit<Alarm, 'v' | 'id' | 'at'>

export interface Alarms {
  readonly raise: (raised: Raised) => void
  /** Sends what waits. */
  readonly flush: () => void
}

interface Parts {
  readonly link: Pick<Link, 'publish'>
  readonly now: () => number
  readonly newId: () => string
  /** For the log. */
  readonly onRaised: (alarm: Alarm) => void
}

/** Alarms that wait: an agent that was away for days has more to do than to repeat them all. */
const waitingMax = 64

export const createAlarms = ({ link, now, newId, onRaised }: Parts): Alarms => {
  const waiting: Alarm[] = []
  let sending = false

  const send = async (): Promise<void> => {
    if (sending) return
    sending = true
    try {
      for (let alarm = waiting[0]; alarm !== undefined; alarm = waiting[0]) {
        await link.publish('alarm', encodeJson(alarm))
        const index = waiting.indexOf(alarm)
        if (index >= 0) waiting.splice(index, 1)
      }
    } catch {
      // No connection: the next one flushes.
    } finally {
      sending = false
    }
  }

  return {
    raise: (raised) => {
      const alarm: Alarm = { v: protocolVersion, id: newId(), ...raised, at: now() }
      onRaised(alarm)
      waiting.push(alarm)
      if (waiting.length > waitingMax) waiting.shift()
      void send()
    },
    flush: () => void send(),
  }
}
