/** From a feature spec to feature rows: the same code in training and at the edge. */
export { createFeatureBuilder, type FeatureBuilder, type RowOutcome } from './builder.ts'
export {
  contextLengthOf,
  covariateHistoryOf,
  covariateNamesOf,
  featureCount,
  seasonalLagOf,
} from './extent.ts'
export type { CalendarPart, FeatureSpec, SharedTerm, StepTerm } from './fields.ts'
export { featureSpecSchema } from './spec.ts'
export type { ColumnRole } from './term.ts'
