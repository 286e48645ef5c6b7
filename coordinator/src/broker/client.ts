/** How the control centre speaks with a broker, whichever it is. */

import type { Address, ChannelName } from '@imlma/protocol/wire'

export interface BrokerMessage extends Address {
  readonly id?: string
  readonly payload: Uint8Array
  readonly retained: boolean
}

export interface BrokerClient {
  /** Every agent's messages of this channel from now on; retained ones come first. */
  readonly subscribe: (channel: ChannelName, listener: (message: BrokerMessage) => void) => Promise<void>
  /** Resolves once the broker has acknowledged it. Throws `Failure` BROKER_UNREACHABLE (retryable). */
  readonly publish: (
    channel: ChannelName,
    address: Address,
    payload: Uint8Array,
    id?: string,
  ) => Promise<void>
  /** Called on every connect, also the first; the returned function ends it. */
  readonly onConnect: (listener: () => void) => () => void
  readonly connected: () => boolean
  readonly close: () => Promise<void>
}
