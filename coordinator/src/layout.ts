/** Where things lie in a data directory. */

export interface Layout {
  readonly readings: string
  readonly registry: string
  readonly registryHead: string
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
  artifacts: `${dataDir}/artifacts`,
  training: `${dataDir}/training`,
  uploads: `${dataDir}/uploads`,
  trust: `${dataDir}/trust`,
  operatorToken: `${dataDir}/operator-token`,
  administratorToken: `${dataDir}/administrator-token`,
})
