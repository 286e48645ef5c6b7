/** A broker of our own inside the coordinator, as the rooms around it see it. */

import type { Address, ChannelName, Topic } from '@imlma/protocol/wire'
import type { PublishRefusal } from './access.ts'

/** What was not delivered: a forbidden publish, or readings that could not be stored. */
export type QuarantineCode = PublishRefusal | 'NOT_STORED'

export interface BrokerHooks {
  /** Readings are acknowledged (PUBACK) when this resolves; when it rejects they are not, and will come again. */
  readonly onReadings: (topic: Topic, payload: Uint8Array) => Promise<void>
  readonly onPresence: (topic: Topic, payload: Uint8Array) => void
  /** A publish that was taken off the client and delivered to nobody. */
  readonly onQuarantine?: (client: string, topicName: string, code: QuarantineCode) => void
}

export interface BrokerCounters {
  readonly clients: number
  readonly published: number
  readonly quarantined: Readonly<Partial<Record<QuarantineCode, number>>>
  readonly subscriptionsRefused: number
  readonly identitiesRefused: number
  /** Connections cut because they announced a packet above the bound. */
  readonly packetsCut: number
}

export interface Broker {
  readonly host: string
  /** The one that was bound, also where 0 was asked for. */
  readonly port: number
  /** `mqtt://host:port` */
  readonly url: string
  readonly publish: (
    channel: ChannelName,
    address: Address,
    payload: Uint8Array,
    id?: string,
  ) => Promise<void>
  /** Ends the connections whose readings were not acknowledged: their clients connect and send again. */
  readonly retryUnacknowledged: () => void
  readonly counters: () => BrokerCounters
  readonly close: () => Promise<void>
}
