/** The tables of `registry.db` as queries see them; `migrations.ts` is their definition. JSON columns are canonical text. */

export interface EventsTable {
  seq: number
  at: number
  event: string
  previousHash: string
  hash: string
}

export interface RunsTable {
  model: string
  run: string
  triggerRecord: string
  triggeredAt: number
  /** The event that started the run, or opened it again. */
  triggeredSeq: number
  dataset: string | null
  version: number | null
  failure: string | null
  delayMs: string | null
  /** The event that changed the row last; so in every projection. */
  seq: number
}

export interface VersionsTable {
  model: string
  version: number
  run: string
  parent: number | null
  createdAt: number
  learner: string
  parameters: string
  seed: number
  codeVersion: string
  study: string | null
  rows: number
  trainSeconds: number
  artifactSha256: string
  artifactBytes: number
  verdict: string | null
  decision: string | null
  release: number | null
  keyid: string | null
  envelopeSha256: string | null
  seq: number
}

export interface ShadowsTable {
  model: string
  version: number
  champion: number
  release: number
  keyid: string
  envelopeSha256: string
  startedAt: number
  endedAt: number | null
  reason: string | null
  evidence: string | null
  seq: number
}

export interface DeploymentsTable {
  model: string
  version: number
  agent: string
  state: string
  reason: string | null
  detail: string
  at: number
  seq: number
}

export interface AssignmentsTable {
  model: string
  agent: string
  version: number
  at: number
  seq: number
}

export interface PinsTable {
  agent: string
  model: string
  /** 0 or 1. */
  pinned: number
  version: number | null
  at: number
  seq: number
}

export interface StatesTable {
  room: string
  key: string
  value: string
  updatedAt: number
}

export interface FleetAgentsTable {
  site: string
  agent: string
  record: Uint8Array
}

export interface FleetPerformanceTable {
  model: string
  version: number
  record: Uint8Array
}

export interface RegistryTables {
  events: EventsTable
  runs: RunsTable
  versions: VersionsTable
  shadows: ShadowsTable
  deployments: DeploymentsTable
  assignments: AssignmentsTable
  pins: PinsTable
  /** View: the latest promoted version of each model. */
  aliases: { model: string; alias: 'champion'; version: number }
  states: StatesTable
  fleetAgents: FleetAgentsTable
  fleetPerformance: FleetPerformanceTable
}
