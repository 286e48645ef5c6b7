/** From a feature spec to feature rows: the same code in training and at the edge. */
export { createFeatureBuilder, featureCount, type FeatureBuilder, type RowOutcome } from './builder.ts'
export {
  contextLengthOf,
  covariateHistoryOf,
  covariateNamesOf,
  featureSpecSchema,
  seasonalLagOf,
  type CalendarPart,
  type FeatureSpec,
  type SharedTerm,
  type StepTerm,
} from './spec.ts'
export type { ColumnRole } from './term.ts'
