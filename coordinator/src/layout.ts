/** Where things lie in a data directory. */

export interface Layout {
  readonly readings: string
  readonly registry: string
  readonly registryHead: string
  /** Signed places of the registry's chain, one a line. */
  readonly checkpoints: string
  /** What agents have recorded themselves. */
  readonly agentLogs: string
  readonly artifacts: string
  readonly training: string
  readonly uploads: string
  readonly trust: string
  /** Tokens of this start, for whoever may read this folder. */
  readonly operatorToken: string
  readonly administratorToken: string
}

export const layoutOf = (dataDir: string): Layout => ({
  readings: `${dataDir}/readings.db`,
  registry: `${dataDir}/registry.db`,
  registryHead: `${dataDir}/registry.head.json`,
  checkpoints: `${dataDir}/registry.checkpoints.ndjson`,
  agentLogs: `${dataDir}/agent-logs`,
  artifacts: `${dataDir}/artifacts`,
  training: `${dataDir}/training`,
  uploads: `${dataDir}/uploads`,
  trust: `${dataDir}/trust`,
  operatorToken: `${dataDir}/operator-token`,
  administratorToken: `${dataDir}/administrator-token`,
})
