/** Somebody with access to the broker: hears everything that is said, keeps it, and says what he likes. */

import { connectAsync } from 'mqtt'
import { openEnvelope, desiredSchema, type Envelope } from '@imlma/protocol/trust'
import { parseTopic, toFilter, type Alarm, type Reported } from '@imlma/protocol/wire'

export interface Wiretap {
  /** Every report, alarm and assignment of the agent so far, oldest first. */
  readonly reports: (agent: string) => readonly Reported[]
  readonly alarms: (agent: string) => readonly Alarm[]
  readonly assignments: (agent: string) => readonly Uint8Array[]
  /** The manifest of a version, as it once went over the wire. */
  readonly manifest: (version: number) => Envelope
  readonly publish: (topic: string, payload: Uint8Array) => Promise<void>
  readonly end: () => Promise<void>
}

const desiredTerms = { payloadType: 'application/vnd.imlma.desired+json', schema: desiredSchema }

/** `clientId` is who he says he is: the broker believes it on loopback. */
export const tapBroker = async (url: string, clientId: string): Promise<Wiretap> => {
  const client = await connectAsync(url, { clientId, protocolVersion: 4, clean: true })
  const reports: (readonly [string, Reported])[] = []
  const alarms: (readonly [string, Alarm])[] = []
  const assignments: (readonly [string, Uint8Array])[] = []
  const manifests = new Map<number, Envelope>()
  const of = <Message>(list: readonly (readonly [string, Message])[], agent: string) =>
    list.filter(([from]) => from === agent).map(([, message]) => message)

  const keepManifests = (payload: Uint8Array): void => {
    const opened = openEnvelope(JSON.parse(new TextDecoder().decode(payload)) as Envelope, desiredTerms)
    if (!opened.ok) return
    for (const { manifest } of Object.values(opened.value.models)) {
      const { version } = JSON.parse(atob(manifest.payload)) as { version: number }
      if (!manifests.has(version)) manifests.set(version, manifest)
    }
  }

  client.on('message', (name, payload) => {
    const { agent = '', channel } = parseTopic(name) ?? {}
    if (channel === 'reported') reports.push([agent, JSON.parse(payload.toString()) as Reported])
    if (channel === 'alarm') alarms.push([agent, JSON.parse(payload.toString()) as Alarm])
    if (channel === 'desired') {
      assignments.push([agent, new Uint8Array(payload)])
      keepManifests(payload)
    }
  })
  await client.subscribeAsync([toFilter('reported'), toFilter('alarm'), toFilter('desired')], { qos: 1 })
  return {
    reports: (agent) => of(reports, agent),
    alarms: (agent) => of(alarms, agent),
    assignments: (agent) => of(assignments, agent),
    manifest: (version) => {
      const manifest = manifests.get(version)
      if (manifest === undefined) throw new Error(`version ${version} was never assigned`)
      return manifest
    },
    publish: async (topic, payload) => {
      await client.publishAsync(topic, Buffer.from(payload), { qos: 1, retain: true })
    },
    end: () => client.endAsync(true),
  }
}
