/**
 * A bound on what the embedded broker keeps for a client that is away or does not acknowledge: its own queue lies in
 * memory and has none. What comes beyond is dropped for that client; `desired` is retained, `ack` is sent again at the
 * next birth, and commands expire.
 */

import type { Aedes } from 'aedes'

interface Recipient {
  readonly clientId: string
}

/** The part of aedes' persistence that queues messages, as far as it is used here. */
interface Queues {
  outgoingEnqueueCombi: (recipients: readonly Recipient[], packet: unknown) => Promise<void>
  outgoingClearMessageId: (client: { readonly id: string }, packet: unknown) => Promise<unknown>
}

/** Keeps at most `messagesMax` messages a client. Returns how many were dropped so far. */
export const boundQueues = (aedes: Aedes, messagesMax: number): (() => number) => {
  const { persistence } = aedes as unknown as { readonly persistence: Queues }
  const enqueue = persistence.outgoingEnqueueCombi.bind(persistence)
  const clear = persistence.outgoingClearMessageId.bind(persistence)
  const queued = new Map<string, number>()
  let dropped = 0

  persistence.outgoingEnqueueCombi = async (recipients, packet) => {
    const taken = recipients.filter(({ clientId }) => (queued.get(clientId) ?? 0) < messagesMax)
    dropped += recipients.length - taken.length
    for (const { clientId } of taken) queued.set(clientId, (queued.get(clientId) ?? 0) + 1)
    await enqueue(taken, packet)
  }
  persistence.outgoingClearMessageId = async (client, packet) => {
    const cleared = await clear(client, packet)
    if (cleared === undefined) return cleared
    const rest = (queued.get(client.id) ?? 1) - 1
    if (rest > 0) queued.set(client.id, rest)
    else queued.delete(client.id)
    return cleared
  }
  return () => dropped
}
