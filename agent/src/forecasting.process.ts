/** Serving, forecasting and monitoring of one agent, put together: from stored readings to reports. */

import { randomUUID } from 'node:crypto'
import { setImmediate as turn } from 'node:timers/promises'
import type { Manifest } from '@imlma/protocol/manifest'
import type { History } from './history/history.ts'
import type { Link } from './link/link.ts'
import type { Log } from './log.pino.ts'
import { createLatencySketch } from './monitoring/latency.sketches.ts'
import { createMonitor, type Monitor } from './monitoring/monitor.ts'
import { stepsWatched } from './monitoring/realised-errors.ts'
import { startTrials } from './trials.process.ts'
import { startReporter, type Reporter } from './monitoring/reporter.timer.ts'
import type { Trials } from './models/trials.ts'
import { createActiveModels, type ActiveModels } from './serving/active-models.ts'
import { startForecastLoop } from './serving/forecaster.timer.ts'
import { createForecaster, type Forecaster } from './serving/forecaster.ts'
import { isFactory } from './serving/baseline.ts'
import { withFactory } from './serving/factory.ts'
import type { FactorySeries } from './serving/factory-series.fs.ts'
import { createForecasts, type Forecasts } from './serving/forecasts.ts'
import type { ModelIdentity, Serving } from './serving/serving.ts'
import { createShadowRunner, type ShadowRunner } from './serving/shadow-runner.ts'
import { readOne, toForecastHistory } from './serving/stored-readings.ts'
import { createWorkers, type Workers } from './serving/worker/workers.process.ts'

export interface Forecasting {
  readonly models: ActiveModels
  /** What runs beside them and answers nobody. */
  readonly shadows: ActiveModels
  readonly shadowRunner: Pick<ShadowRunner, 'counts'>
  /** Runs champions beside challengers on probation. */
  readonly trials: Trials
  readonly forecasts: Forecasts
  readonly forecaster: Pick<Forecaster, 'counts'>
  readonly monitor: Pick<Monitor, 'latest'>
  readonly workers: Pick<Workers, 'onLost' | 'list' | 'losses' | 'restarts'>
  /** Begins to forecast and to report. */
  readonly start: () => void
  readonly reportNow: () => Promise<void>
  readonly stop: () => Promise<void>
}

interface Parts {
  readonly history: History
  readonly link: Pick<Link, 'publish' | 'connected' | 'reconnects'>
  /** What was signed with a version that is being loaded. */
  readonly manifest: (identity: ModelIdentity) => Promise<Manifest | undefined>
  /** What is forecast as long as no released version answers. */
  readonly factory: Pick<FactorySeries, 'known' | 'learn'>
  readonly log: Log
}

interface Options {
  readonly bootId: string
  readonly inference: InferenceOptions
  readonly reportEveryMs: number
  readonly settleMs: number
}

interface InferenceOptions {
  readonly isolation: 'worker' | 'none'
  readonly memoryBytesMax: number
  readonly runMsMin: number
}

const monotonicMs = (): number => performance.now()

export const createForecasting = (parts: Parts, options: Options): Forecasting => {
  const { history, link, manifest, log } = parts
  const references = new Map<string, Manifest['reference']>()
  const stops: (() => void | Promise<void>)[] = []

  const onCloseFailed = ({ model, version }: ModelIdentity, cause: unknown): void =>
    log.error({ model, version, err: cause }, 'a model did not close')
  const workers = createWorkers(options.inference)
  stops.push(
    workers.onLost(({ model, version, sha256, cause, detail, atWork }) =>
      log.error({ model, version, sha256, cause, detail, atWork }, 'a worker was lost'),
    ),
  )
  const load: Serving['load'] = async (path, identity, contract) => {
    const signed = await manifest(identity)
    const budgetMs = signed?.reference.latencyMsBudget
    const loaded =
      options.inference.isolation === 'worker'
        ? await workers.load(path, identity, contract, budgetMs)
        : await import('./serving/session.onnx.ts').then((room) => room.loadModel(path, identity, contract))
    if (signed !== undefined) remember(references, identity.sha256, signed.reference)
    return loaded
  }
  const released = createActiveModels({ now: monotonicMs, load, onCloseFailed })
  const models = withFactory({ models: released, ...parts.factory })
  const shadows = createActiveModels({ now: monotonicMs, load: models.load, onCloseFailed })
  const monitor = createMonitor(
    {
      now: Date.now,
      newId: randomUUID,
      createLatencySketch,
      reference: ({ sha256 }) => references.get(sha256),
      readActual: (...place) => readOne(history, ...place),
      process: () => ({
        residentBytes: process.memoryUsage.rss(),
        uptimeS: process.uptime(),
        reconnects: link.reconnects(),
      }),
    },
    { bootId: options.bootId },
  )
  const forecasts = createForecasts({ now: monotonicMs })
  const stored = toForecastHistory(history)
  /** The round of the champions under way. */
  let round = Promise.resolve()
  const rest = async (): Promise<void> => {
    await turn()
    await round
  }
  const readActual: Parameters<typeof startTrials>[0]['readActual'] = (...place) => readOne(history, ...place)
  const { trials, stop: stopTrials } = startTrials({ history: stored, readActual, rest, log })
  const shadowRunner = createShadowRunner({
    models: shadows,
    history: stored,
    rest,
    steps: stepsWatched,
    onBatch: monitor.onShadowBatch,
    onPaired: monitor.onPaired,
    onFailed: ({ model, version }, cause) =>
      log.warn({ model, version, err: cause }, 'no forecast in shadow'),
  })
  const forecaster = createForecaster(
    {
      models,
      history: stored,
      now: monotonicMs,
      turn: () => turn(),
      onForecast: forecasts.record,
      onBatch: (batch) => {
        // Every window holds the seasonal-naive errors beside a version's own: there is nothing else to say of it.
        if (isFactory(batch)) return
        monitor.onBatch(batch)
        trials.onBatch(batch)
        shadowRunner.note(batch)
      },
      onClosed: (closed) => {
        monitor.onClosed(closed)
        trials.onClosed(closed)
      },
      onFailed: ({ model, version }, cause) => log.error({ model, version, err: cause }, 'no forecast'),
    },
    { settleMs: options.settleMs },
  )
  let reporter: Reporter | undefined

  return {
    models,
    shadows,
    shadowRunner,
    trials,
    forecasts,
    forecaster,
    monitor,
    workers,
    start: () => {
      const run = (): Promise<void> => (round = forecaster.run())
      const loop = startForecastLoop({ forecaster: { run } })
      stops.push(
        models.onRun((each) => (isFactory(each) ? undefined : monitor.onRun(each))),
        shadows.onRun(monitor.onShadowRun),
      )
      stops.push(shadowRunner.stop, stopTrials, loop.stop)
      stops.push(
        history.onAppend(({ series, historical }) => {
          // Backlog is context, and nothing to forecast from.
          if (historical) return
          for (const { meter, register, interval, start, values } of series) {
            forecaster.note(meter, register, interval, start + values.length * interval)
          }
          loop.wake()
        }),
      )
      const onFailed = (cause: unknown): void => log.debug({ err: cause }, 'a monitoring window was not sent')
      reporter = startReporter({ monitor, link, onFailed }, options)
      stops.push(reporter.stop)
    },
    reportNow: async () => reporter?.reportNow(),
    stop: async () => {
      for (const stop of stops.splice(0).toReversed()) await stop()
      await shadows.close()
      await models.close()
    },
  }
}

/** Versions whose reference is kept: the active, the previous, a challenger, for every model an agent may have. */
const referencesMax = 64

const remember = (
  references: Map<string, Manifest['reference']>,
  sha256: string,
  reference: Manifest['reference'],
): void => {
  references.set(sha256, reference)
  const oldest = references.keys().next()
  if (references.size > referencesMax && oldest.done !== true) references.delete(oldest.value)
}
