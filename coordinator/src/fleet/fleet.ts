/** What the control centre knows of each agent: presence, what it reports to serve, how well it does. */

import type { ErrorSums } from '@imlma/protocol/metrics'
import type { Alarm, Coverage, Presence, Report, Reported, VersionWindow } from '@imlma/protocol/wire'

export interface AgentRecord {
  readonly site: string
  readonly agent: string
  readonly presence: Presence | null
  /** When this side last heard of it (coordinator's clock). */
  readonly heardAt: number
  readonly reported: Reported | null
  /** Latest monitoring window per `model@version`. */
  readonly windows: Readonly<Record<string, VersionWindow>>
  readonly process: Report['process'] | null
}

/** Live performance of one version over the whole fleet, merged from the agents' windows. */
export interface LivePerformance {
  readonly model: string
  readonly version: number
  readonly runs: number
  readonly failures: number
  readonly latencyMs: { readonly p50: number; readonly p95: number; readonly p99: number } | null
  readonly errors: ErrorSums
  readonly baseline: ErrorSums
  /** Actuals that met a range, and those inside; undefined for a version without quantiles. */
  readonly coverage?: Coverage | undefined
  readonly psi: Readonly<
    Record<string, { readonly psi: number | null; readonly rows: number; readonly verdict: string }>
  >
}

export interface ForecastSample {
  readonly agent: string
  readonly model: string
  readonly version: number
  readonly meter: string
  readonly at: number
  readonly step: number
  readonly forecast: number
  readonly actual: number
  /** Lowest and highest quantile, where the forecast had any. */
  readonly low?: number | undefined
  readonly high?: number | undefined
}

export interface Fleet {
  readonly agents: () => readonly AgentRecord[]
  readonly agent: (site: string, agent: string) => AgentRecord | undefined
  readonly performance: (model: string) => readonly LivePerformance[]
  /** Latest samples of forecasts against actuals, oldest first, bounded per meter. */
  readonly samples: (model: string, meter?: string) => readonly ForecastSample[]
  readonly alarms: (limit: number) => readonly (Alarm & { readonly agent: string })[]
  readonly subscribe: (listener: (change: FleetChange) => void) => () => void
}

export type FleetChange =
  | { readonly kind: 'presence'; readonly agent: AgentRecord }
  | { readonly kind: 'reported'; readonly agent: AgentRecord }
  | { readonly kind: 'report'; readonly agent: AgentRecord; readonly report: Report }
  | { readonly kind: 'alarm'; readonly agent: AgentRecord; readonly alarm: Alarm }
