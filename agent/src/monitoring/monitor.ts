/**
 * What an agent says about its models every few seconds: one window per version, and warnings that do not wait for
 * someone to look. Sums and sketches start anew with every window; they merge exactly over time and fleet.
 */

import type { Manifest } from '@imlma/protocol/manifest'
import { protocolVersion, type Alarm, type Report, type VersionWindow } from '@imlma/protocol/wire'
import type { ClosedInterval, ForecastBatch } from '../serving/forecaster.ts'
import type { ModelIdentity, RunObservation } from '../serving/serving.ts'
import type { PairedForecasts } from '../serving/shadow-runner.ts'
import { createComparisons } from './comparisons.ts'
import type { LatencySketch } from './latency.sketches.ts'
import { createVersionMonitor, type VersionMonitor } from './version-monitor.ts'
import { createWarnings } from './warnings.ts'

export interface Monitor {
  readonly onRun: (observation: RunObservation) => void
  readonly onBatch: (batch: ForecastBatch) => void
  /** The same of a challenger in shadow: watched, and no reason for a warning. */
  readonly onShadowRun: (observation: RunObservation) => void
  readonly onShadowBatch: (batch: ForecastBatch) => void
  readonly onPaired: (paired: PairedForecasts) => void
  readonly onClosed: (closed: ClosedInterval) => void
  /** Closes the window and begins the next one; with the warnings it gives rise to. */
  readonly takeReport: () => { readonly report: Report; readonly alarms: readonly Alarm[] }
  /** The windows of the last report. */
  readonly latest: () => readonly VersionWindow[]
}

interface Parts {
  /** UTC epoch milliseconds. */
  readonly now: () => number
  readonly newId: () => string
  readonly createLatencySketch: () => LatencySketch
  /** What was signed with this version; undefined where it is not at hand. */
  readonly reference: (identity: ModelIdentity) => Manifest['reference'] | undefined
  /** A stored reading; NaN where there is none. */
  readonly readActual: (meter: string, register: string, intervalMs: number, at: number) => number
  readonly process: () => Report['process']
}

interface Options {
  readonly bootId: string
  /** Versions followed at once; the one that was heard of longest ago is dropped. */
  readonly versionsMax?: number
}

interface Followed {
  readonly identity: ModelIdentity
  readonly monitor: VersionMonitor
  readonly budgetMs: number | undefined
  readonly shadow: boolean
}

export const createMonitor = (parts: Parts, { bootId, versionsMax = 32 }: Options): Monitor => {
  const { now, newId, createLatencySketch, reference, readActual, process } = parts
  const followed = new Map<string, Followed>()
  const warnings = createWarnings()
  const comparisons = createComparisons()
  let windowStart = now()
  let latest: readonly VersionWindow[] = []

  const follow = ({ model, version, sha256 }: ModelIdentity, shadow = false): VersionMonitor => {
    // What it did in shadow is told apart from what it did as champion.
    const key = `${model}/${sha256}/${shadow}`
    const known = followed.get(key)
    if (known !== undefined) {
      // Taken to the end: the first of the map is the one heard of longest ago.
      followed.delete(key)
      followed.set(key, known)
      return known.monitor
    }
    const identity = { model, version, sha256 }
    const signed = reference(identity)
    const monitor = createVersionMonitor(identity, { createLatencySketch, reference: signed })
    followed.set(key, { identity, monitor, budgetMs: signed?.latencyMsBudget, shadow })
    const oldest = followed.keys().next()
    if (followed.size > versionsMax && oldest.done !== true) followed.delete(oldest.value)
    return monitor
  }

  return {
    onRun: (observation) => follow(observation).onRun(observation),
    onBatch: (batch) => follow(batch).onBatch(batch),
    onShadowRun: (observation) => follow(observation, true).onRun(observation),
    onShadowBatch: (batch) => follow(batch, true).onBatch(batch),
    onPaired: comparisons.expect,
    onClosed: ({ model, register, intervalMs, end }) => {
      const read = (meter: string, at: number): number => readActual(meter, register, intervalMs, at)
      for (const { identity, monitor } of followed.values()) {
        if (identity.model !== model) continue
        monitor.onClosed(end, read)
      }
      comparisons.close(model, end, read)
    },
    takeReport: () => {
      const at = now()
      const windows = [...followed.values()].map(({ monitor, budgetMs, shadow }) => ({
        window: shadow ? { ...monitor.takeWindow(), shadow } : monitor.takeWindow(),
        budgetMs,
      }))
      // What was replaced is said as long as its forecasts still meet actuals; what serves is always said.
      const serving = new Map(
        windows.flatMap(({ window }) => (window.shadow === true ? [] : [[window.model, window]])),
      )
      latest = windows
        .map(({ window }) => window)
        .filter((window) => hasNews(window) || serving.get(window.model) === window)
      const compared = comparisons.take()
      const report: Report = {
        v: protocolVersion,
        bootId,
        windowStart,
        windowEnd: Math.max(at, windowStart),
        versions: [...latest],
        ...(compared.length === 0 ? {} : { comparisons: [...compared] }),
        process: process(),
      }
      windowStart = at
      const alarms = windows
        .filter(({ window }) => window.shadow !== true)
        .flatMap(({ window, budgetMs }) => warnings.look(window, budgetMs))
        .map((warning): Alarm => ({ v: protocolVersion, id: newId(), ...warning, at }))
      return { report, alarms }
    },
    latest: () => latest,
  }
}

const hasNews = ({ runs, errors }: VersionWindow): boolean => runs > 0 || errors.count > 0
