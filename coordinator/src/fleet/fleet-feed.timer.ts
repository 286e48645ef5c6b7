/** Connects the fleet with the broker's messages, and has it written down every few seconds. */

import type { BrokerClient } from '../broker/client.ts'
import { fleetChannels, type LiveFleet } from './live-fleet.ts'

interface FeedParts {
  readonly client: Pick<BrokerClient, 'subscribe'>
  readonly fleet: Pick<LiveFleet, 'receive' | 'flush'>
  readonly now: () => number
  readonly onFailure: (cause: unknown) => void
}

interface FeedOptions {
  /** What a power cut may lose of what was heard; one transaction each, whatever the number of agents. */
  readonly flushIntervalMs?: number
}

/** Resolves once every channel is subscribed. The returned function writes what is left and ends the writing. */
export const feedFleet = async (
  { client, fleet, now, onFailure }: FeedParts,
  { flushIntervalMs = 5_000 }: FeedOptions = {},
): Promise<() => Promise<void>> => {
  for (const channel of fleetChannels) {
    await client.subscribe(channel, (message) => fleet.receive(channel, message, now()))
  }
  let writing: Promise<void> = Promise.resolve()
  const write = (): Promise<void> => {
    writing = writing.then(() => fleet.flush()).catch(onFailure)
    return writing
  }
  const timer = setInterval(() => void write(), flushIntervalMs)
  timer.unref()
  return async () => {
    clearInterval(timer)
    await write()
  }
}
