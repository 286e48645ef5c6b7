/**
 * Alarms on their way to whoever listens: on disk until the broker has them, so that what was raised without a link or
 * just before a power cut is still heard of. Sent oldest first, and few of a kind (`alarm-rate.ts`).
 */

import { encodeJson, protocolVersion, type Alarm } from '@imlma/protocol/wire'
import { admitAlarm, type AlarmRate } from './alarm-rate.ts'
import type { Link } from './link/link.ts'
import type { HeldAlarms } from './outbox/held-alarms.sqlite.ts'

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
  /** Milliseconds that only grow: a jump of the clock lets no flood through. */
  readonly monotonicMs: () => number
  readonly newId: () => string
  readonly held: HeldAlarms
  /** For the log. */
  readonly onRaised: (alarm: Alarm) => void
  /** An alarm could not be stored: it is sent if the link allows, and lost in a power cut. */
  readonly onFailure: (cause: unknown) => void
}

/** As many as the disk keeps. */
const waitingMax = 1_000

export const createAlarms = (parts: Parts): Alarms => {
  const { link, now, monotonicMs, newId, held, onRaised, onFailure } = parts
  const guarded = (work: () => void): void => {
    try {
      work()
    } catch (cause) {
      onFailure(cause)
    }
  }
  const waiting: Alarm[] = []
  let rate: AlarmRate = new Map()
  let sending = false
  guarded(() => waiting.push(...held.all()))

  const send = async (): Promise<void> => {
    if (sending) return
    sending = true
    try {
      for (let alarm = waiting[0]; alarm !== undefined; alarm = waiting[0]) {
        await link.publish('alarm', encodeJson(alarm))
        const { id } = alarm
        const index = waiting.indexOf(alarm)
        if (index >= 0) waiting.splice(index, 1)
        guarded(() => held.remove(id))
      }
    } catch {
      // No connection: the next one flushes.
    } finally {
      sending = false
    }
  }

  return {
    raise: (raised) => {
      const admitted = admitAlarm(rate, raised, monotonicMs())
      rate = admitted.rate
      if (admitted.suppressed === undefined) return
      const evidence =
        admitted.suppressed === 0 ? raised.evidence : { ...raised.evidence, suppressed: admitted.suppressed }
      const alarm: Alarm = { v: protocolVersion, id: newId(), ...raised, evidence, at: now() }
      onRaised(alarm)
      guarded(() => held.add(alarm))
      waiting.push(alarm)
      if (waiting.length > waitingMax) waiting.shift()
      void send()
    },
    flush: () => void send(),
  }
}
