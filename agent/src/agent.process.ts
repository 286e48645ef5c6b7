/**
 * One agent, put together and started in order; `stop` goes the same way back.
 *
 *   lock → identity → audit → readings → link (closed) → models restored → local API → forwarding → link open → forecasts → sources
 *
 * Models serve before anybody can ask, and listeners are there before the broker can speak. What fails on the way
 * stops everything that was started before it.
 */

import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { signBatch } from '@imlma/protocol/trust'
import { protocolVersion, type Reported } from '@imlma/protocol/wire'
import { createAlarms } from './alarms.ts'
import { anchorPathOf, openAnchor } from './anchor.fs.ts'
import type { AgentFigures } from './api/metrics.prom.ts'
import { startApi } from './api/start.http.ts'
import { startAudit } from './audit.process.ts'
import { keepCompilers } from './compilers.process.ts'
import type { Configuration } from './configuration.ts'
import { createForecasting, type Forecasting } from './forecasting.process.ts'
import { createShown, openIdentity } from './identity.process.ts'
import { createMqttLink } from './link/link.mqtt.ts'
import type { Link } from './link/link.ts'
import { keepNoPacketNumbers } from './link/packet-numbers.mqtt.ts'
import { lockFolder } from './lock.sqlite.ts'
import type { Log } from './log.pino.ts'
import { fullCollection, keepTidy } from './memory.process.ts'
import { openModels } from './models.process.ts'
import type { Backlog } from './outbox/outbox.ts'
import type { GatewayAccess } from './models/transfer.tls.ts'
import { startReporting } from './reported.timer.ts'
import { isFactory } from './serving/baseline.ts'
import { openFactorySeries } from './serving/factory-series.fs.ts'
import { tellRunning } from './running.fs.ts'
import type { Settings } from './settings.process.ts'
import { isPostedSource } from './sources/posted-source.ts'
import { createPosting } from './sources/posting.ts'
import type { SourceChanges } from './sources/source-set.ts'
import type { Source } from './sources/source.ts'
import { openSources } from './sourcing.process.ts'
import { openStoring, startForwarding } from './storing.process.ts'
import { createSupervisor } from './supervisor/supervisor.timer.ts'

export interface RunningAgent {
  readonly name: string
  /** Of the local API. */
  readonly url: string
  /** Takes over the sources of another configuration. Throws `Failure`; then nothing has changed. */
  readonly reload: (wanted: Configuration) => Promise<SourceChanges>
  readonly stop: () => Promise<void>
}

interface StartParts {
  readonly log: Log
  readonly agentVersion: string
  /** A part fails and fails again: the process should end, and be started again. */
  readonly onSpent: (part: string, cause: unknown) => void
}

/** Throws `Failure` DATA_DIR_IN_USE, NO_NAME, WRONG_TARGET, PORT_TAKEN, BAD_ROOT, BAD_BROKER_URL and what its rooms throw. */
export const startAgent = async (
  settings: Settings,
  configuration: Configuration,
  given: StartParts,
): Promise<RunningAgent> => {
  const stops: (() => void | Promise<void>)[] = []
  const stop = async (): Promise<void> => {
    for (const each of stops.splice(0).toReversed()) {
      await Promise.resolve()
        .then(each)
        .catch((cause: unknown) => given.log.error({ err: cause }, 'did not stop cleanly'))
    }
  }
  try {
    return { ...(await start(settings, configuration, { ...given, stops })), stop }
  } catch (cause) {
    await stop()
    throw cause
  }
}

interface Starting extends StartParts {
  readonly stops: (() => void | Promise<void>)[]
}

const start = async (
  settings: Settings,
  configuration: Configuration,
  { log, agentVersion, onSpent, stops }: Starting,
): Promise<Omit<RunningAgent, 'stop'>> => {
  const { dataDir } = settings
  const bootId = randomUUID()
  stops.push(lockFolder(dataDir))
  const { agent, site, broker, credentials } = await openIdentity(settings, log)
  const shown = credentials && createShown(credentials, dataDir)
  if (settings.name === undefined) log.setBindings({ agent })
  const anchor = await openAnchor(anchorPathOf(dataDir), settings.root)
  if (anchor === undefined) log.warn('no trust root: readings are sent, no model is accepted (give --root)')

  const audit = await startAudit({ dataDir, site, agent, agentVersion, bootId }, log)
  stops.push(audit.close)
  const sign = shown && ((front: Uint8Array) => signBatch({ site, agent }, front, shown.signer()))
  const storing = openStoring(dataDir, configuration.outboxBytesMax, { log, sign })
  stops.push(storing.close)
  const { outbox, history } = storing
  storing.whenOpen(() => stops.push(audit.watch(() => outbox.backlog().dropped)))

  keepNoPacketNumbers()
  const link = createMqttLink(
    {
      now: Date.now,
      random: Math.random,
      onEnd: (cause) => log.info({ err: cause }, 'no connection to the broker'),
    },
    {
      site,
      agent,
      broker,
      presence: { bootId, agentVersion, capabilities },
      ...(shown && { tls: shown.tls }),
    },
  )
  stops.push(link.close)
  const alarms = createAlarms({
    link,
    now: Date.now,
    monotonicMs: () => performance.now(),
    newId: randomUUID,
    held: storing.heldAlarms,
    onFailure: (cause) => log.error({ err: cause }, 'an alarm was not stored'),
    onRaised: (alarm) => {
      log.warn({ alarm }, 'alarm')
      audit.alarm(alarm)
    },
  })

  const modelsFolder = join(dataDir, 'models')
  const rooms = await openModels(modelsFolder, link, configuration)
  const factory = await openFactorySeries(
    join(modelsFolder, 'factory.json'),
    configuration.factory,
    (cause) => log.warn({ err: cause }, 'what the models forecast is not kept'),
  )
  stops.push(factory.close)
  const forecasting = createForecasting(
    { history, link, manifest: rooms.manifest, factory, log },
    { ...configuration, bootId },
  )
  stops.push(forecasting.stop)
  storing.onAlarm(alarms.raise)
  const forwarder = startForwarding({ outbox, link, log }, configuration)
  stops.push(forwarder.stop)

  const reported = (): Reported => ({
    v: protocolVersion,
    bootId,
    agentVersion,
    at: Date.now(),
    ...rooms.reportedModels(),
    factory: forecasting.models
      .models()
      .filter(isFactory)
      .map(({ model }) => model),
    backlog: outbox.backlog(),
  })
  const reporting = startReporting({ link, read: reported })
  stops.push(reporting.stop)
  const reportNow = (): void => {
    reporting.changed()
    void forecasting.reportNow()
  }

  const supervisor = createSupervisor({
    monotonicMs: () => performance.now(),
    onRestart: (part, afterMs, cause) => log.warn({ part, afterMs, err: cause }, 'failed, and starts again'),
    onSpent,
  })
  stops.push(supervisor.stop)
  // Before the models: what they are to forecast is held against what comes.
  const sources = await openSources(configuration.sources, { ...storing, sink: outbox, supervisor, log })
  const parts = {
    alarms,
    log,
    serving: { ...forecasting.models, onLost: forecasting.workers.onLost },
    shadows: forecasting.shadows,
    trials: forecasting.trials,
    liveSeries: sources.brought,
    forwarder,
    reportNow,
    audit,
    options: configuration,
    access: shown && ((): GatewayAccess => ({ url: shown.gateway(), ...shown.tls() })),
  }
  const models = anchor && (await rooms.start({ ...parts, anchor }, { site, agent }))
  if (models !== undefined) stops.push(models.stop, models.onChange(reporting.changed))

  const postedSources = () => sources.list().filter(isPostedSource)
  const posting = createPosting({ sink: outbox, now: Date.now, sources: postedSources })
  const { models: serving, forecasts, forecaster, shadowRunner, monitor } = forecasting
  const collect = fullCollection()
  const compilers = keepCompilers(process.execArgv, collect)
  stops.push(compilers.stop)
  const api = await startApi(
    {
      onAsked: compilers.note,
      models: serving,
      forecasts,
      post: posting.post,
      agentVersion,
      onFailed: (cause) => log.error({ err: cause }, 'a request failed'),
      figures: () => toFigures({ link, backlog: outbox.backlog(), forecasting, sources: sources.list() }),
      status: () => ({
        name: agent,
        site,
        connected: link.connected(),
        ...reported(),
        forecasts: forecaster.counts(),
        shadow: shadowRunner.counts(),
        workers: forecasting.workers.list(),
        windows: monitor
          .latest()
          .map((window) => ({ ...window, latencySketch: undefined, inputs: undefined })),
        supervised: supervisor.counts(),
        sources: sources.list().map((source) => ({
          name: source.name,
          state: source.state(),
          ...source.figures?.(),
        })),
        posted: posting.figures(),
      }),
    },
    settings,
  )
  stops.push(api.close, tellRunning(dataDir, { name: agent, api: api.url }))

  if (models !== undefined) {
    link.on('desired', ({ payload }) => void models.desired(payload))
    link.on('command', (message) => void models.command(message))
    link.onConnect(models.connected)
  }
  link.onConnect(() => {
    log.info('connected to the broker')
    alarms.flush()
  })
  stops.push(audit.upload(link))
  reporting.changed()
  link.start()
  if (shown !== undefined) stops.push(shown.keepFresh({ link, alarms, log }))
  forecasting.start()
  sources.start()
  stops.push(sources.stop)
  stops.push(keepTidy({ collect, residentBytes: () => process.memoryUsage.rss() }))
  return { name: agent, url: api.url, reload: (wanted) => sources.apply(wanted.sources) }
}

const toFigures = ({ link, backlog, forecasting, sources }: FigureParts): AgentFigures => {
  const { rows, rowsSkipped, failures } = forecasting.forecaster.counts()
  const shadow = forecasting.shadowRunner.counts()
  const windows = forecasting.monitor.latest()
  const figuresOf = (running: Forecasting['models'], isShadow: boolean): AgentFigures['models'] =>
    running.models().map(({ model, version }) => {
      const window = windows.find(
        (each) => each.model === model && each.version === version && (each.shadow === true) === isShadow,
      )
      return { model, version, latencyMs: window?.latencyMs ?? null }
    })
  return {
    residentBytes: process.memoryUsage.rss(),
    uptimeS: process.uptime(),
    connected: link.connected(),
    reconnects: link.reconnects(),
    backlogReadings: backlog.readings,
    backlogBytes: backlog.bytes,
    droppedReadings: backlog.dropped,
    droppedByClass: backlog.droppedByClass,
    forecastRows: rows,
    forecastRowsSkipped: rowsSkipped,
    forecastFailures: failures,
    models: figuresOf(forecasting.models, false),
    shadows: figuresOf(forecasting.shadows, true),
    shadowRows: shadow.rows,
    shadowRowsLeftOut: shadow.rowsSkipped + shadow.rowsDropped + shadow.rowsUnlike,
    shadowFailures: shadow.failures,
    stoodIn: forecasting.models.stoodIn(),
    workersLost: forecasting.workers.losses(),
    workerRestarts: forecasting.workers.restarts(),
    sources: sources.flatMap(({ name, figures }) => (figures === undefined ? [] : [{ name, ...figures() }])),
  }
}

interface FigureParts {
  readonly link: Pick<Link, 'connected' | 'reconnects'>
  readonly backlog: Backlog
  readonly forecasting: Forecasting
  readonly sources: readonly Source[]
}

/** What the control centre may expect of this agent. */
const capabilities = ['forecast', 'rollback', 'shadow', 'open-inference-v2']
