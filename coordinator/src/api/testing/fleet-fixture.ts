/** Three agents as the fleet would remember them, and a week of forecasts beside what came. */

import { errorSumsOf, type ErrorSums } from '@imlma/protocol/metrics'
import type { Alarm, ReportedModel, VersionWindow } from '@imlma/protocol/wire'
import type { AgentRecord, ForecastSample, LivePerformance } from '../../fleet/fleet.ts'
import { createRandom, fakeSha256 } from './random.ts'
import { storyAgents, storyModel } from './chapters.ts'

const quarterHour = 900_000
const installed = (version: number) => ({
  version,
  release: version,
  sha256: fakeSha256(`artifact ${version}`),
})

/** gw-1 and gw-2 serve version 6; gw-3 was rolled back to 4, is pinned and has a backlog. */
export const fixtureAgents = (now: number): readonly AgentRecord[] =>
  storyAgents.map((agent, index) => {
    const rolledBack = agent === 'gw-3'
    const version = rolledBack ? 4 : 6
    const reported: ReportedModel = {
      phase: 'idle',
      active: installed(version),
      previous: installed(rolledBack ? 6 : 4),
      challenger: null,
      pinned: rolledBack,
      releaseMax: 4,
      quarantined: [],
      outcome: {
        version: 6,
        sha256: fakeSha256('artifact 6'),
        state: 'committed',
        reason: null,
        detail: '',
        durationsMs: { fetch: 210, verify: 34, swap: 61 },
        at: now - 170_000,
      },
    }
    const presence = { v: 1 as const, bootId: `boot-${agent}`, agentVersion: '0.1.0', capabilities: ['onnx'] }
    return {
      site: 'demo',
      agent,
      presence: { ...presence, state: rolledBack ? 'offline' : 'online', at: now - 3_600_000 },
      heardAt: now - (rolledBack ? 48_000 : 900 + index * 400),
      reported: {
        v: 1,
        bootId: `boot-${agent}`,
        agentVersion: '0.1.0',
        at: now - 1_000,
        desiredCounter: 6,
        rootVersion: 2,
        backlog: rolledBack
          ? { batches: 31, bytes: 412_000, readings: 62_400, dropped: 0, oldestAt: now - 48_000 }
          : { batches: index, bytes: index * 4_100, readings: index * 240, dropped: 0, oldestAt: null },
        models: { [storyModel]: reported },
      },
      windows: { [`${storyModel}@${version}`]: windowOf(version, index) },
      process: { residentBytes: 84_300_000 + index * 2_100_000, uptimeS: 3_600 + index, reconnects: index },
    }
  })

const windowOf = (version: number, index: number): VersionWindow => ({
  model: storyModel,
  version,
  runs: 5_760 + index * 13,
  failures: 0,
  latencySketch: null,
  latencyMs: { p50: 0.021 + index * 0.004, p95: 0.048 + index * 0.006, p99: 0.083 + index * 0.011 },
  errors: sumsOf(0.19, 1_920, 11 + index),
  baseline: sumsOf(0.3, 1_920, 11 + index),
  inputs: {
    'lag 1': { histogram: { edges: [1], counts: [960, 960] }, rows: 1_920, psi: 0.031, verdict: 'stable' },
    'lag 96': {
      histogram: { edges: [1], counts: [980, 940] },
      rows: 1_920,
      psi: 0.142 + index * 0.02,
      verdict: 'watch',
    },
  },
  residuals: null,
  samples: [],
})

/** Errors with this standard deviation over `rows` pairs of a daily curve. */
const sumsOf = (deviation: number, rows: number, seed: number): ErrorSums => {
  const random = createRandom(seed)
  const actuals = Array.from({ length: rows }, (_, row) => dayCurve(row * quarterHour) + random() * 0.2)
  return errorSumsOf(
    actuals.map((actual) => actual + (random() + random() + random() - 1.5) * deviation * 2),
    actuals,
  )
}

/** kWh a quarter hour of a small feeder: a morning and an evening peak. */
const dayCurve = (at: number): number => {
  const hour = (at / 3_600_000) % 24
  const peak = (centre: number, width: number) => Math.exp(-(((hour - centre) / width) ** 2))
  return 0.35 + 0.5 * peak(8, 2.2) + 0.95 * peak(19, 2.8) + 0.2 * peak(13, 3)
}

export const fixturePerformance = (): readonly LivePerformance[] =>
  [4, 6].map((version) => {
    const { inputs, ...window } = windowOf(version, version === 6 ? 0 : 2)
    return { ...window, psi: inputs }
  })

export const fixtureMeters = Array.from(
  { length: 6 },
  (_, index) => `meter-${String(index + 1).padStart(2, '0')}`,
)

/** Two days of quarter hours for each meter, oldest first. */
export const fixtureSamples = (now: number): readonly ForecastSample[] => {
  const random = createRandom(5)
  const end = Math.floor(now / quarterHour) * quarterHour
  return fixtureMeters.flatMap((meter, index) =>
    Array.from({ length: 192 }, (_, step): ForecastSample => {
      const at = end - (191 - step) * quarterHour
      const level = dayCurve(at) * (0.8 + index * 0.15)
      return {
        agent: storyAgents[index % 3] as string,
        model: storyModel,
        version: step < 120 ? 4 : 6,
        meter,
        at,
        step: 1 + (step % 96),
        forecast: level * (0.97 + random() * 0.06),
        low: level * 0.9,
        high: level * 1.1,
        actual: level * (0.9 + random() * 0.2),
      }
    }),
  )
}

export const fixtureAlarms = (now: number): readonly (Alarm & { readonly agent: string })[] => [
  {
    v: 1,
    id: 'alarm-1',
    agent: 'gw-3',
    model: storyModel,
    version: 4,
    kind: 'deployment',
    level: 'act',
    value: null,
    limit: null,
    evidence: { code: 'DIGEST_MISMATCH' },
    at: now - 2_400_000,
  },
]
