/** A broker of our own inside the coordinator, as the rooms around it see it. */

import type { Address, ChannelName, Topic } from '@imlma/protocol/wire'
import type { TlsMaterial } from '../trust/pki/index.ts'
import type { PublishRefusal } from './access.ts'
import type { DoorCounters } from './doors.tls.ts'

/** What was not delivered: a forbidden publish, or readings that could not be stored. */
export type QuarantineCode = PublishRefusal | 'NOT_STORED'

export interface BrokerHooks {
  /** Readings are acknowledged (PUBACK) when this resolves; when it rejects they are not, and will come again. */
  readonly onReadings: (topic: Topic, payload: Uint8Array) => Promise<void>
  readonly onPresence: (topic: Topic, payload: Uint8Array) => void
  /** A publish that was taken off the client and delivered to nobody. */
  readonly onQuarantine?: (client: string, topicName: string, code: QuarantineCode) => void
  /** Something that the broker needs cannot be read; it goes on with what it knows. */
  readonly onTrouble?: (error: unknown) => void
}

export interface BrokerCounters extends DoorCounters {
  readonly clients: number
  readonly published: number
  readonly quarantined: Readonly<Partial<Record<QuarantineCode, number>>>
  readonly subscriptionsRefused: number
  /** Connections ended because the client id was not that of the certificate, or none at all. */
  readonly identitiesRefused: number
  /** Connections ended because their holder had connected too often, or too many times at once. */
  readonly connectsRefused: number
  /** Connections ended by what their client sent, or failed to send: no MQTT, a topic too deep, silence. */
  readonly clientsFailed: number
}

export interface Broker {
  readonly host: string
  /** The one that was bound, also where 0 was asked for; of the plain door, where there is one. */
  readonly port: number
  /** `mqtt://host:port`; `mqtts://…` where there is no plain door. */
  readonly url: string
  /** Where clients with certificates connect: `mqtts://host:port`. */
  readonly certifiedUrl?: string
  readonly publish: (
    channel: ChannelName,
    address: Address,
    payload: Uint8Array,
    id?: string,
  ) => Promise<void>
  /** Ends the connections whose readings were not acknowledged: their clients connect and send again. */
  readonly retryUnacknowledged: () => void
  /** The broker's own certificate, for new connections from now on. */
  readonly renewTls: (material: TlsMaterial) => void
  readonly counters: () => BrokerCounters
  readonly close: () => Promise<void>
}
