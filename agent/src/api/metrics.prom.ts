/** The agent's figures for Prometheus, read at the moment they are asked for. Base units: seconds, bytes. */

import { Gauge, Registry } from 'prom-client'
import type { Maker } from '../serving/serving.ts'
import type { LossCause } from '../serving/worker/lost.ts'
import type { SourceFigures } from '../sources/source-figures.ts'

export interface AgentFigures {
  readonly residentBytes: number
  readonly uptimeS: number
  readonly connected: boolean
  readonly reconnects: number
  readonly backlogReadings: number
  readonly backlogBytes: number
  readonly droppedReadings: number
  /** Readings by what they were worth; alarms under `alarm`. */
  readonly droppedByClass: Readonly<Record<string, number>>
  readonly forecastRows: number
  readonly forecastRowsSkipped: number
  readonly forecastFailures: number
  readonly models: readonly ModelFigures[]
  /** What runs beside the champions and answers nobody. */
  readonly shadows: readonly ModelFigures[]
  readonly shadowRows: number
  /** Not run: too many gaps, too slow, or another series than the champion's. */
  readonly shadowRowsLeftOut: number
  readonly shadowFailures: number
  /** Runs that the active version failed, by who answered in its place. */
  readonly stoodIn: Readonly<Record<Maker['kind'], number>>
  readonly workersLost: Readonly<Record<LossCause, number>>
  /** By digest. */
  readonly workerRestarts: ReadonlyMap<string, number>
  readonly sources: readonly (SourceFigures & { readonly name: string })[]
}

export interface ModelFigures {
  readonly model: string
  readonly version: number
  /** Of the last window; null where nothing ran. */
  readonly latencyMs: { readonly p50: number; readonly p95: number; readonly p99: number } | null
}

export const createMetrics = (read: () => AgentFigures) => {
  const registry = new Registry()
  const gauge = <Label extends string>(name: string, help: string, labelNames: Label[] = []): Gauge<Label> =>
    new Gauge({ name: `imlma_agent_${name}`, help, labelNames, registers: [registry] })

  const plain: readonly (readonly [Gauge, (figures: AgentFigures) => number])[] = [
    [gauge('resident_bytes', 'Resident memory of the process.'), (f) => f.residentBytes],
    [gauge('uptime_seconds', 'Time since the start of the process.'), (f) => f.uptimeS],
    [gauge('connected', '1 while the broker is connected, otherwise 0.'), (f) => Number(f.connected)],
    [gauge('reconnects_total', 'Connections made after the first.'), (f) => f.reconnects],
    [gauge('backlog_readings', 'Readings not yet acknowledged.'), (f) => f.backlogReadings],
    [gauge('backlog_bytes', 'Their size on disk.'), (f) => f.backlogBytes],
    [gauge('dropped_readings_total', 'Readings dropped by the disk quota.'), (f) => f.droppedReadings],
    [gauge('forecast_rows_total', 'Forecasts made for meters.'), (f) => f.forecastRows],
    [gauge('forecast_rows_skipped_total', 'Forecasts left out: gaps.'), (f) => f.forecastRowsSkipped],
    [gauge('forecast_failures_total', 'Forecast runs that failed.'), (f) => f.forecastFailures],
    [gauge('shadow_rows_total', 'Forecasts made in shadow.'), (f) => f.shadowRows],
    [gauge('shadow_rows_left_out_total', 'Forecasts not made in shadow.'), (f) => f.shadowRowsLeftOut],
    [gauge('shadow_failures_total', 'Runs in shadow that failed.'), (f) => f.shadowFailures],
  ]
  const ofSources: readonly (readonly [Gauge<'source'>, (figures: SourceFigures) => number])[] = [
    [gauge('source_samples_total', 'Samples that a source brought.', ['source']), (f) => f.samples],
    [gauge('source_readings_total', 'Readings made of them.', ['source']), (f) => f.readings],
    [gauge('source_repeated_total', 'Samples that came again.', ['source']), (f) => f.repeated],
    [gauge('source_late_total', 'Samples behind newer ones.', ['source']), (f) => f.late],
    [gauge('source_too_late_total', 'Samples too late to count.', ['source']), (f) => f.tooLate],
    [gauge('source_corrected_total', 'Readings sent again.', ['source']), (f) => f.corrected],
    [gauge('source_counter_resets_total', 'Counters set back.', ['source']), (f) => f.resets],
    [gauge('source_lost_total', 'Readings that no store took.', ['source']), (f) => f.lost],
    [gauge('source_interruptions_total', 'Times that it was not there.', ['source']), (f) => f.interruptions],
  ]
  const malformed = gauge('source_malformed_total', 'Inputs that could not be read.', ['source', 'code'])
  const dropped = gauge('dropped_total', 'Readings, or alarms, dropped of each class.', ['class'])
  const served = gauge('served_version', 'Version that answers.', ['model'])
  const latency = gauge('run_seconds', 'Duration of a run in the last window.', ['model', 'quantile'])
  const inShadow = gauge('shadow_version', 'Version that runs beside the champion.', ['model'])
  const shadowLatency = gauge('shadow_run_seconds', 'The same for runs in shadow.', ['model', 'quantile'])

  const stoodIn = gauge('stood_in_total', 'Runs that the active version failed, by who answered.', [
    'made_by',
  ])
  const lost = gauge('workers_lost_total', 'Inference workers that were lost.', ['cause'])
  const restarts = gauge('worker_restarts_total', 'New workers for a version after a loss.', ['digest'])

  return {
    contentType: registry.contentType,
    read: async (): Promise<string> => {
      const figures = read()
      for (const [each, of] of plain) each.set(of(figures))
      // What is gone must not be reported for ever.
      for (const each of [served, latency, inShadow, shadowLatency]) each.reset()
      for (const source of figures.sources) {
        for (const [each, of] of ofSources) each.set({ source: source.name }, of(source))
        for (const { code, count } of source.rejects) malformed.set({ source: source.name, code }, count)
      }
      restarts.reset()
      for (const [digest, times] of figures.workerRestarts) restarts.set({ digest }, times)
      for (const [cause, times] of Object.entries(figures.workersLost)) lost.set({ cause }, times)
      for (const [by, times] of Object.entries(figures.stoodIn)) stoodIn.set({ made_by: by }, times)
      for (const [name, count] of Object.entries(figures.droppedByClass)) dropped.set({ class: name }, count)
      for (const each of figures.models) tell(each, served, latency)
      for (const each of figures.shadows) tell(each, inShadow, shadowLatency)
      return registry.metrics()
    },
  }
}

const tell = (
  { model, version, latencyMs }: ModelFigures,
  versions: Gauge<'model'>,
  latency: Gauge<'model' | 'quantile'>,
): void => {
  versions.set({ model }, version)
  if (latencyMs === null) return
  latency.set({ model, quantile: '0.5' }, latencyMs.p50 / 1_000)
  latency.set({ model, quantile: '0.95' }, latencyMs.p95 / 1_000)
  latency.set({ model, quantile: '0.99' }, latencyMs.p99 / 1_000)
}
