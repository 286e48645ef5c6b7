/**
 * The gate: does a challenger replace the champion? `decide` judges two models by their errors on the same frozen rows,
 * `createSequentialTest` goes on day by day where that was inconclusive.
 */
export { blockBootstrap, type BlockBootstrap, type BootstrapOptions } from './block-bootstrap.ts'
export { standardChecks } from './checks.ts'
export type { Finding, GateCheck, Question } from './condition.ts'
export { dieboldMariano, relativeDieboldMariano, type DieboldMariano } from './diebold-mariano.ts'
export type { ArtifactBudget, ArtifactFigures, Contest, ContestRows, Evaluation } from './evaluation.ts'
export { decide } from './gate.ts'
export { lossSeriesOf, toLossSeries, type LossSeries, type PairedLosses } from './loss-series.ts'
export { gateDefaults, type GateOptions } from './options.ts'
export { hashRows } from './rows.crypto.ts'
export {
  createSequentialTest,
  sequentialDefaults,
  sequentialStateSchema,
  type DailyLosses,
  type SequentialEvidence,
  type SequentialOptions,
  type SequentialState,
  type SequentialStep,
  type SequentialTest,
} from './sequential.ts'
