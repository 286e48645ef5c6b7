/** What is kept as evidence while the control centre runs: agents' logs, signed places of the registry, what was refused. */

import { sha256, verifySignature } from '@imlma/protocol/node'
import { canonicalJson, fromBase64, type Desired, type Envelope } from '@imlma/protocol/trust'
import { readSigningKeys } from '../audit/agent-keys.fs.ts'
import { createAgentLogs } from '../audit/agent-logs.fs.ts'
import { createCheckpointFile } from '../audit/checkpoint-file.fs.ts'
import { createCheckpointer } from '../audit/checkpointer.ts'
import { createCollector } from '../audit/collector.ts'
import { createRefusalNotes, noteSettings } from '../audit/notes.ts'
import type { BrokerClient } from '../broker/client.ts'
import type { Layout } from '../layout.ts'
import type { ModelDefinition } from '../lifecycle/definition.ts'
import type { Registry } from '../registry/registry.ts'
import type { ReadingsReader } from '../storage/readings.ts'
import type { StateStore } from '../storage/states.ts'
import type { Trust } from '../trust/establish.fs.ts'
import { sealDesired } from '../trust/signer.ts'
import { every } from './every.timer.ts'
import { keepScrubbed } from './scrubbing.timer.ts'

interface RecordsParts {
  readonly client: BrokerClient
  readonly registry: Registry
  readonly states: StateStore
  readonly readings: Pick<ReadingsReader, 'quarantined'>
  readonly trust: Trust
  readonly now: () => number
  readonly onFailure: (cause: unknown) => void
}

interface RecordsOptions {
  readonly layout: Layout
  readonly site: string
  readonly version: string
  readonly host: string
  readonly brokerUrl: string
  readonly definitions: readonly ModelDefinition[]
  /** Only whether there is one: what it holds is secret, or changes by itself. */
  readonly tls?: object
  readonly enrolment?: object
}

export interface Records {
  /** Signed as the director, and in the registry before anybody sees it. */
  readonly sealDesired: (document: Desired) => Promise<Envelope>
  /** From now on logs are taken in. Resolves when the broker has confirmed it. */
  readonly start: () => Promise<void>
  readonly stop: () => Promise<void>
}

/** How often it is looked whether it is time to sign, and whether readings were refused. */
const lookMs = 60_000

export const openRecords = async (parts: RecordsParts, options: RecordsOptions): Promise<Records> => {
  const { client, registry, states, readings, trust, now, onFailure } = parts
  const { layout, site } = options
  const checkpointer = await createCheckpointer(
    { registry, write: createCheckpointFile(layout.checkpoints).append, signer: () => trust.director, now },
    { site },
  )
  const collector = await createCollector(
    {
      client,
      registry,
      states,
      logs: createAgentLogs({ folder: layout.agentLogs }),
      keysOf: (agent) => readSigningKeys(layout.trust, agent),
      verify: verifySignature,
      hash: sha256,
      now,
      onFailure,
    },
    { site },
  )
  await noteSettings({ registry, states, hash: digestOf, now }, settingsOf(options))
  const lookAtRefusals = await createRefusalNotes({
    registry,
    states,
    quarantined: readings.quarantined,
    now,
  })
  let endLooks: (() => Promise<void>) | undefined
  const endScrub = keepScrubbed({ registry, now, onFailure }, { folder: layout.artifacts })

  return {
    sealDesired: async (document) => {
      const envelope = sealDesired(document, trust.director)
      const digest = sha256(fromBase64(envelope.payload))
      const { counter, agent } = document
      await collector.noteSealed(agent, { counter, digest, keyid: trust.director.keyid })
      return envelope
    },
    start: async () => {
      await client.subscribe('audit', (message) => void collector.accept(message))
      const look = async (): Promise<void> => {
        await lookAtRefusals()
        await checkpointer.look()
      }
      endLooks = every(lookMs, look, onFailure)
    },
    stop: async () => {
      await endLooks?.()
      await endScrub()
      await collector.stop()
      await checkpointer.stop().catch(onFailure)
    },
  }
}

/** Of a setting, however its fields are ordered. */
const digestOf = (value: unknown): string => sha256(canonicalJson(JSON.parse(JSON.stringify(value))))

/** What a person chose for this start; ports are left out, as a free one may have been asked for. */
const settingsOf = ({ site, version, host, brokerUrl, definitions, tls, enrolment }: RecordsOptions) => ({
  site,
  version,
  host,
  broker: new URL(brokerUrl).protocol + new URL(brokerUrl).hostname,
  tls: tls !== undefined,
  certified: enrolment !== undefined,
  ...Object.fromEntries(definitions.map((definition) => [`model ${definition.name}`, definition])),
})
