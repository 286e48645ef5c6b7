#!/usr/bin/env node
/**
 * The control centre: chooses which part of it this process is, starts the parts in order and stops them in the
 * reverse one. Says on standard output, and to the process that started it, when it is up and where.
 */

import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import { Failure, type Refusal } from '@imlma/protocol/result'
import type { Address } from '@imlma/protocol/wire'
import { createBrokerClient } from './broker/client.mqtt.ts'
import { openApiTls } from './control/api-tls.fs.ts'
import { brokerTlsOf, openCertifiedBroker } from './certified.fs.ts'
import { startCentre } from './control/centre.process.ts'
import { createIngest, startEmbeddedIngest, subscribeIngest } from './ingest/index.ts'
import { isLoopback, toHostname } from './broker/listener.net.ts'
import { every } from './control/every.timer.ts'
import { layoutOf, type Layout } from './layout.ts'
import { readDefinitions } from './lifecycle/definition.fs.ts'
import { lockPart } from './lock.sqlite.ts'
import { createLog, type Log } from './log.pino.ts'
import { publicHosts, toUrlHost } from './public-hosts.os.ts'
import { parseSettings, type Settings } from './settings.commander.ts'
import { createReadingsStore, openReadingsReader } from './storage/readings.sqlite.ts'
import type { ReadingsReader } from './storage/readings.ts'
import { openAgentKeys } from './trust/agent-keys.fs.ts'
import { createBatchSignatures } from './trust/batch-signatures.crypto.ts'
import { authorityExists, createAuthority, openDeniedList } from './trust/pki/index.ts'

type Stop = () => Promise<void> | void

/** The broker part may still be making its file when control starts beside it. */
const readingsWaitMsMax = 60_000

const packageFile = new URL('../package.json', import.meta.url)
const { version } = JSON.parse(readFileSync(packageFile, 'utf8')) as { version: string }

const say = (message: { event: string; [detail: string]: unknown }): void => {
  process.stdout.write(`${JSON.stringify(message)}\n`)
  if (process.connected) process.send?.(message)
}

/** A secret goes to whoever started us, or to whoever looks at us, and never into a log. */
const sayOnlyOnce = (message: { event: string; url: string }): void => {
  if (process.connected) process.send?.(message)
  else process.stdout.write(`${JSON.stringify(message)}\n`)
}

/** What the parts have in common, and the list of what is to be stopped, last started first. */
interface Start {
  readonly settings: Settings
  readonly layout: Layout
  readonly log: Log
  readonly stops: Stop[]
}

/** Certificates of parts are looked at so often whether a new one is due; each lives a year. */
const renewalMs = 43_200_000

/** In a certified site readings count only where their agent has signed them. */
const openSignatures = async ({ layout, log }: Start) => {
  if (!(await authorityExists(pkiOf(layout)))) return {}
  const onTrouble = (error: unknown): void => log.error({ err: error }, 'signatures cannot be verified')
  const keys = openAgentKeys(layout.trust, () => performance.now())
  return {
    verifySignature: createBatchSignatures({ keys, denied: openDeniedList(pkiOf(layout)), onTrouble }),
    onRefused: (agent: Address, refusal: Refusal): void =>
      log.warn({ ...agent, ...refusal }, 'readings are not counted'),
  }
}

const startBroker = async (start: Start) => {
  const { settings, layout, log, stops } = start
  stops.unshift(lockPart(settings.dataDir, 'broker'))
  const store = createReadingsStore(layout.readings)
  stops.unshift(() => store.close())
  const certified = await openCertifiedBroker(settings, pkiOf(layout))
  // Beyond loopback there is TLS only.
  const host = certified === undefined || isLoopback(settings.host) ? settings.host : '127.0.0.1'
  const onTrouble = (error: unknown): void =>
    log.error({ err: error }, 'the broker goes on with what it knows')
  const embedded = await startEmbeddedIngest(
    {
      store,
      now: Date.now,
      onFailure: (failure) => log.error({ err: failure }, 'readings cannot be stored'),
      onQuarantine: (client, topic, code) => log.warn({ client, topic, code }, 'a publish was quarantined'),
      onTrouble,
      ...(await openSignatures(start)),
    },
    {
      host,
      ...(settings.mqttPort === 'off' ? {} : { port: settings.mqttPort }),
      ...(certified === undefined ? {} : { certified: certified.door }),
      ...futureBound(settings),
    },
  )
  stops.unshift(embedded.close)
  const { broker } = embedded
  if (certified !== undefined) {
    stops.unshift(every(renewalMs, async () => broker.renewTls(await certified.renewed()), onTrouble))
  }
  return { urls: { broker: broker.url, mqtts: broker.certifiedUrl }, readings: store }
}

/** Readings behind an outside broker: ingest is one of its subscribers, in the process that controls. */
const startSubscriber = async (start: Start, brokerUrl: string) => {
  const { settings, layout, log, stops } = start
  stops.unshift(lockPart(settings.dataDir, 'broker'))
  const store = createReadingsStore(layout.readings)
  stops.unshift(() => store.close())
  const tls = await brokerTlsOf(settings, pkiOf(layout), brokerUrl, 'ingest')
  const clientId = `coordinator:${settings.site}-ingest`
  const client = createBrokerClient({ url: brokerUrl, clientId, ...(tls && { tls }) })
  stops.unshift(client.close)
  const ingest = createIngest(
    {
      store,
      now: Date.now,
      publishAck: (agent, payload) => client.publish('ack', agent, payload),
      onFailure: (failure) => log.error({ err: failure }, 'readings cannot be stored'),
      ...(await openSignatures(start)),
    },
    futureBound(settings),
  )
  ingest.start()
  stops.unshift(ingest.stop)
  await subscribeIngest(client, ingest)
  return store
}

const pkiOf = (layout: Layout): string => `${layout.trust}/pki`

const futureBound = ({ clock }: Settings) => (clock === 'simulated' ? { futureMsMax: Infinity } : {})

/** Waits for the broker part to make its store. */
const awaitReadings = async (path: string): Promise<ReadingsReader> => {
  const givenUpAt = Date.now() + readingsWaitMsMax
  for (;;) {
    try {
      return openReadingsReader(path)
    } catch (error) {
      if (!(error instanceof Failure && error.retryable) || Date.now() > givenUpAt) throw error
      await pause(200)
    }
  }
}

/** What the gateways of a certified site are told, and where they enrol. */
const toEnrolment = ({ settings, layout }: Start, brokerUrl: string) => {
  const { site, host, gatewayPort, publicHost, broker } = settings
  const hosts = publicHosts(host, publicHost)
  const agentsBrokerUrl = broker ?? `mqtts://${toUrlHost(hosts[0] ?? host)}:${new URL(brokerUrl).port}`
  return { folder: layout.trust, site, host, port: gatewayPort, publicHosts: hosts, agentsBrokerUrl }
}

const startControl = async (start: Start, brokerUrl: string, readings: ReadingsReader) => {
  const { settings, layout, log, stops } = start
  stops.unshift(lockPart(settings.dataDir, 'control'))
  const tls = await openApiTls({ ...settings, authority: `${layout.trust}/pki` })
  const centre = await startCentre(
    { readings, log },
    {
      layout,
      site: settings.site,
      host: settings.host,
      port: settings.port,
      brokerUrl,
      brokerTls: await brokerTlsOf(settings, pkiOf(layout), brokerUrl, 'control'),
      definitions: settings.models === undefined ? [] : await readDefinitions(settings.models),
      version,
      ...((await authorityExists(pkiOf(layout))) ? { enrolment: toEnrolment(start, brokerUrl) } : {}),
      ...(tls === undefined ? {} : { tls }),
    },
  )
  stops.unshift(centre.stop)
  if (centre.setupUrl !== undefined) sayOnlyOnce({ event: 'setup', url: centre.setupUrl })
  return { api: centre.url, ...(centre.gatewayUrl === undefined ? {} : { gateway: centre.gatewayUrl }) }
}

/** Where the broker part of this data directory is, when nobody says. */
const brokerPartOf = async ({ settings, layout }: Start): Promise<string> => {
  const { host, mqttPort, mqttsPort } = settings
  if (await authorityExists(pkiOf(layout))) return `mqtts://${toHostname(host)}:${mqttsPort}`
  return `mqtt://${toHostname(host)}:${mqttPort}`
}

interface Addresses {
  readonly api?: string
  readonly gateway?: string
  /** Plain, for people's tools; the one with certificates where that is the only one. */
  readonly broker: string
  /** Where clients with certificates connect. */
  readonly mqtts?: string | undefined
}

const startParts = async (start: Start): Promise<Addresses> => {
  const { settings, layout, stops } = start
  if (settings.tls) await createAuthority(`${layout.trust}/pki`, settings.site)
  if (settings.part === 'broker') return (await startBroker(start)).urls
  if (settings.part === 'all' && settings.broker === undefined) {
    const { urls, readings } = await startBroker(start)
    return { ...(await startControl(start, urls.mqtts ?? urls.broker, readings)), ...urls }
  }
  const broker = settings.broker ?? (await brokerPartOf(start))
  if (settings.part === 'all') {
    return { ...(await startControl(start, broker, await startSubscriber(start, broker))), broker }
  }
  const readings = await awaitReadings(layout.readings)
  stops.unshift(() => readings.close())
  return { ...(await startControl(start, broker, readings)), broker }
}

const settings = parseSettings(process.argv, version)
const log = createLog(settings.part, settings.log)
const start: Start = { settings, layout: layoutOf(settings.dataDir), log, stops: [] }

const stopAll = async (): Promise<void> => {
  for (const stop of start.stops.splice(0)) {
    await Promise.resolve(stop()).catch((error: unknown) => log.error({ err: error }, 'a part did not stop'))
  }
}

const asked = Promise.race([
  once(process, 'SIGTERM'),
  once(process, 'SIGINT'),
  // The process that started us is gone: nobody would ever stop us.
  ...(process.connected ? [once(process, 'disconnect')] : []),
])

try {
  const addresses = await startParts(start)
  say({ event: 'up', part: settings.part, site: settings.site, ...addresses })
  await asked
} catch (error) {
  const known = error instanceof Failure
  const { message } = error as Error
  log.fatal({ err: error }, message)
  process.stderr.write(`${known ? `${error.code}: ` : ''}${message}\n`)
  if (known && error.hint !== undefined) process.stderr.write(`  ${error.hint}\n`)
  say({
    event: 'failed',
    code: known ? error.code : 'UNEXPECTED',
    message,
    hint: known ? error.hint : undefined,
  })
  process.exitCode = 1
}
await stopAll()
if (process.connected) process.disconnect()
// A part that failed half-way up holds sockets and timers that are in no list: everything on disk is safe at any moment.
if (process.exitCode === 1) process.exit()
