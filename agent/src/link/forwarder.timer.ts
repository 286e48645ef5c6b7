/** Drains the outbox through the link: sends when there is room, begins again when the way may have lost something. */

import { limits } from '@imlma/protocol/limits'
import { Failure } from '@imlma/protocol/result'
import { ackSchema, parseJsonMessage } from '@imlma/protocol/wire'
import { drained, refilled, toBacklogMax, type Bucket } from './bandwidth.ts'
import {
  afterAck,
  beginAfter,
  forwarderDefaults,
  isOverdue,
  toRoom,
  type ForwarderOptions,
  type ForwarderQueue,
  type Sending,
} from './forwarder.ts'
import type { Link } from './link.ts'

export interface ForwarderParts {
  readonly outbox: ForwarderQueue & { readonly onAppend: (listener: () => void) => () => void }
  readonly link: Pick<Link, 'publish' | 'on' | 'onConnect' | 'connected'>
  /** The outbox failed on disk; readings stay where they are and are tried again. */
  readonly onFailure?: (failure: unknown) => void
}

export interface Forwarder {
  readonly start: () => void
  /** Sends what is held from `seq` on again (a technician's `resend`); what was acknowledged is not held any more. */
  readonly resendFrom: (seq: number) => void
  readonly stop: () => void
}

export const createForwarder = (
  parts: ForwarderParts,
  overrides: Partial<ForwarderOptions> = {},
): Forwarder => {
  const { outbox, link, onFailure = () => undefined } = parts
  const options = { ...forwarderDefaults, ...overrides }
  const clock = () => performance.now()
  const stops: (() => void)[] = []
  let sending: Sending | undefined
  /** Packets without PUBACK, of this round and of earlier ones. */
  let unconfirmed = 0
  let scheduled = false
  const bytesPerSecondMax = options.backlogBytesPerSecondMax
  let bucket: Bucket = { bytes: bytesPerSecondMax, at: clock() }

  const beginAgain = (silentRounds = 0): void => {
    const acknowledged = outbox.acknowledged()
    sending = acknowledged === undefined ? undefined : beginAfter(acknowledged, clock(), silentRounds)
  }

  const send = (seq: number, packet: Uint8Array): void => {
    unconfirmed += 1
    link
      .publish('readings', packet)
      .catch((cause: unknown) => {
        // Down: the next connect begins again. Busy: the missing acknowledgement does.
        if (!(cause instanceof Failure && cause.retryable)) onFailure(cause)
        if (sending !== undefined && sending.sent >= seq)
          sending = { ...sending, sent: Math.max(sending.acknowledged, seq - 1) }
      })
      .finally(() => {
        unconfirmed -= 1
      })
      .catch(onFailure)
  }

  const pump = (): void => {
    scheduled = false
    if (!link.connected()) return
    if (sending === undefined) beginAgain()
    for (;;) {
      if (sending === undefined) return
      // Packets of an earlier round still on the way take room too.
      const room = Math.min(toRoom(sending, options), options.batchesMax - unconfirmed)
      if (room <= 0) return
      bucket = refilled(bucket, bytesPerSecondMax, clock())
      const backlogMax = toBacklogMax(bucket, bytesPerSecondMax, options.batchesMax)
      const { bytesMax } = options
      const batches = outbox.next({ after: sending.sent, batchesMax: room, bytesMax, backlogMax })
      if (batches.length === 0) return
      if (sending.sent === sending.acknowledged) sending = { ...sending, progressAt: clock() }
      for (const { seq, packet, isBacklog } of batches) {
        sending = { ...sending, sent: seq }
        if (isBacklog) bucket = drained(bucket, packet.length)
        send(seq, packet)
      }
    }
  }

  const guarded = (work: () => void): void => {
    try {
      work()
    } catch (failure) {
      onFailure(failure)
    }
  }

  /** One pump for everything that happens in one turn of the loop. */
  const wake = (): void => {
    if (scheduled) return
    scheduled = true
    setImmediate(() => guarded(pump))
  }

  const onAck = (payload: Uint8Array): void => {
    const ack = parseJsonMessage(ackSchema, payload, limits.jsonBytesMax)
    if (!ack.ok) return
    // New numbers begin above everything sent: to the window they are an acknowledgement of all of it.
    outbox.acknowledge(ack.value.seq)
    const acknowledged = outbox.acknowledged()
    if (sending === undefined || acknowledged === undefined) beginAgain()
    else if (acknowledged > sending.acknowledged) sending = afterAck(sending, acknowledged, clock())
    wake()
  }

  const watch = (): void => {
    // While packets wait for PUBACK the link watches; copies behind them would help nobody.
    if (sending !== undefined && unconfirmed === 0 && isOverdue(sending, options, clock())) {
      beginAgain(sending.silentRounds + 1)
    }
    wake()
  }

  return {
    start: () => {
      const timer = setInterval(() => guarded(watch), Math.max(50, options.ackTimeoutMs / 5))
      stops.push(
        () => clearInterval(timer),
        outbox.onAppend(wake),
        link.on('ack', ({ payload }) => guarded(() => onAck(payload))),
        link.onConnect(() => {
          guarded(beginAgain)
          wake()
        }),
      )
      wake()
    },
    resendFrom: (seq) => {
      const acknowledged = outbox.acknowledged()
      if (acknowledged === undefined) return
      sending = beginAfter(Math.max(acknowledged, seq - 1), clock())
      wake()
    },
    stop: () => {
      for (const stop of stops.splice(0)) stop()
    },
  }
}
