/**
 * Every bound that both sides share, in one table: name, value, unit, reason.
 * Bounds that only one side needs are options of that side with a documented default.
 */

export const limits = {
  /** Bytes of one MQTT packet. Larger packets are cut before they are parsed: aedes itself has no limit. */
  packetBytesMax: 1_048_576,
  /** Bytes of a JSON document (presence, reported, alarm, fetch, result). Far above the largest honest one. */
  jsonBytesMax: 262_144,
  /** Bytes of a signed envelope. A desired document embeds a manifest with its golden vectors (about 60 kB). */
  envelopeBytesMax: 524_288,
  /** Bytes of one chunk of an artifact: a quarter of a packet, so that chunks and readings share a link fairly. */
  chunkBytesMax: 262_144,
  /** Bytes of a model artifact. Gateways have little flash; the largest model foreseen is a tenth of it. */
  artifactBytesMax: 268_435_456,
  /** Columns of one reading batch: the meters × registers of one concentrator. */
  seriesPerBatchMax: 10_000,
  /** Values of one column: a 31-day month of 1-minute readings. */
  valuesPerSeriesMax: 44_640,
  /** Values of a whole batch: four bytes each, so that a batch fits a packet. */
  valuesPerBatchMax: 200_000,
  /** Milliseconds of the shortest and the longest reading interval (1 s, 1 day). */
  intervalMsMin: 1_000,
  intervalMsMax: 86_400_000,
  /** Characters of a site, agent, model or meter name. */
  nameLengthMax: 64,
  /** Length of context and horizon, in steps: four weeks of quarter hours. */
  contextLengthMax: 2_688,
  horizonMax: 2_688,
  /** Columns of a feature row. */
  featuresMax: 16_384,
  /** Quantiles of a forecast: more say nothing that a person or a planner could use. */
  quantilesMax: 9,
  /** Quantile values (Q × H) of all golden vectors together: a manifest must fit an envelope. */
  quantileValuesMax: 8_192,
  /** Golden vectors of a manifest: fewer prove too little, more bloat every assignment. */
  goldenVectorsMin: 8,
  goldenVectorsMax: 64,
  /** Models that one agent serves. */
  modelsPerAgentMax: 16,
  /** Comparisons of one report (a shadow for each model) and days of one comparison: a week back and today. */
  comparisonsPerReportMax: 16,
  comparedDaysMax: 8,
  /** Signatures of one envelope; more would be work for nothing before a threshold is met. */
  signaturesMax: 16,
  /** Root versions that one desired document carries: a gateway that was away for years still catches up. */
  rootsPerDesiredMax: 64,
} as const
