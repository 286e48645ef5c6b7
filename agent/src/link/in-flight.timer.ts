/**
 * Publishes between `publish` and PUBACK: so many on the way, so many waiting their turn, all of them refused when
 * the connection ends. Nothing outlives its connection: who needs more than an attempt has a store of his own.
 */

import { Failure } from '@imlma/protocol/result'

/** Sends one packet; `done` is called once, with PUBACK or with why not. */
export type Send = (done: (cause?: Error | null) => void) => void

export interface InFlight {
  /** Rejects with `Failure` LINK_BUSY when too many wait, LINK_DOWN when the connection ends first. */
  readonly send: (send: Send) => Promise<void>
  /** Milliseconds that the oldest packet has been without PUBACK; 0 without any. */
  readonly oldestMs: () => number
  readonly fail: (cause: unknown) => void
}

export interface InFlightOptions {
  readonly inFlightMax: number
  readonly waitingMax: number
}

interface Waiting {
  readonly send: Send
  readonly resolve: () => void
  readonly reject: (failure: Failure) => void
}

export const linkDown = (cause?: unknown): Failure =>
  new Failure('LINK_DOWN', 'no connection to the broker', {
    cause,
    retryable: true,
    hint: 'the agent reconnects by itself; check the address of the broker and the network',
  })

export const createInFlight = ({ inFlightMax, waitingMax }: InFlightOptions): InFlight => {
  const onTheWay = new Map<Waiting, number>()
  let waiting: Waiting[] = []

  const start = (each: Waiting): void => {
    onTheWay.set(each, performance.now())
    each.send((cause) => {
      // Failed as a whole before: already answered.
      if (!onTheWay.delete(each)) return
      if (cause) each.reject(linkDown(cause))
      else each.resolve()
      const next = waiting.shift()
      if (next !== undefined) start(next)
    })
  }

  return {
    send: (send) =>
      new Promise<void>((resolve, reject) => {
        if (onTheWay.size < inFlightMax) {
          start({ send, resolve, reject })
        } else if (waiting.length < waitingMax) {
          waiting.push({ send, resolve, reject })
        } else {
          reject(
            new Failure('LINK_BUSY', `${waitingMax} messages wait for the broker already`, {
              retryable: true,
              hint: 'the broker acknowledges slowly; try again later',
            }),
          )
        }
      }),
    oldestMs: () => {
      const [since] = onTheWay.values()
      return since === undefined ? 0 : performance.now() - since
    },
    fail: (cause) => {
      const all = [...onTheWay.keys(), ...waiting]
      onTheWay.clear()
      waiting = []
      for (const { reject } of all) reject(linkDown(cause))
    },
  }
}
