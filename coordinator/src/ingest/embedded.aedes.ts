/** The embedded broker with ingest inside it: an agent's PUBACK means that its readings are on disk. */

import { Failure } from '@imlma/protocol/result'
import { createBroker, type BrokerOptions } from '../broker/broker.aedes.ts'
import type { Broker, BrokerHooks } from '../broker/broker.ts'
import type { Ingest, IngestOptions, IngestParts } from './ingest.ts'
import { createIngest } from './ingest.timer.ts'

export interface EmbeddedIngestParts extends Pick<
  IngestParts,
  'store' | 'now' | 'onFailure' | 'verifySignature' | 'onRefused'
> {
  readonly onQuarantine?: BrokerHooks['onQuarantine']
  readonly onTrouble?: BrokerHooks['onTrouble']
}

export interface EmbeddedIngest {
  readonly broker: Broker
  readonly ingest: Ingest
  /** Ends the connections, then stores what has arrived. The store is the caller's to close, after this. */
  readonly close: () => Promise<void>
}

/** Listens and folds on return. Throws `Failure` PORT_TAKEN, NOT_LOOPBACK, LISTEN_FAILED. */
export const startEmbeddedIngest = async (
  { onQuarantine, onTrouble, ...parts }: EmbeddedIngestParts,
  options: BrokerOptions & IngestOptions,
): Promise<EmbeddedIngest> => {
  // Each needs the other: nothing is acknowledged before the first connection.
  const started: { broker?: Broker } = {}
  const ingest = createIngest(
    {
      ...parts,
      publishAck: async (agent, payload) => {
        if (started.broker === undefined)
          throw new Failure('BROKER_UNREACHABLE', 'the embedded broker is starting')
        await started.broker.publish('ack', agent, payload)
      },
      onRecovered: () => started.broker?.retryUnacknowledged(),
    },
    options,
  )
  const broker = await createBroker(
    {
      onReadings: ingest.onReadings,
      onPresence: ingest.onPresence,
      ...(onQuarantine === undefined ? {} : { onQuarantine }),
      ...(onTrouble === undefined ? {} : { onTrouble }),
    },
    options,
  )
  started.broker = broker
  ingest.start()
  return {
    broker,
    ingest,
    close: async () => {
      await broker.close()
      ingest.stop()
    },
  }
}
