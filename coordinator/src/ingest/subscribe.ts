/**
 * Ingest behind an outside broker: readings come to an ordinary subscriber. Its PUBACK says nothing about our disk, so
 * only `ack` does: an agent sends again what is not acknowledged.
 */

import type { BrokerClient } from '../broker/client.ts'
import type { Ingest } from './ingest.ts'

/** Resolves when the broker has confirmed both subscriptions. */
export const subscribeIngest = async (client: BrokerClient, ingest: Ingest): Promise<void> => {
  await client.subscribe('readings', (message) => {
    // A failure is counted there, and the batch comes again.
    ingest.onReadings(message, message.payload).catch(() => undefined)
  })
  await client.subscribe('presence', (message) => {
    ingest.onPresence(message, message.payload)
  })
}
