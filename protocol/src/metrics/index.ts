/** Forecast errors as mergeable sums, and the figures made of them. */
export {
  createErrorAccumulator,
  errorSumsOf,
  errorSumsSchema,
  mergeErrorSums,
  metricsOf,
  noErrors,
  skillOf,
  type ErrorAccumulator,
  type ErrorMetrics,
  type ErrorSums,
} from './errors.ts'
