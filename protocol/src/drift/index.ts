/** Has the distribution of a value moved? Histograms that merge, distances, and a verdict with its sample size. */
export { chiSquaredLimit } from './chi-squared.ts'
export { hellingerOf, jensenShannonOf, klOf, psiOf } from './distances.ts'
export {
  createHistogramCounter,
  histogramOf,
  mergeHistograms,
  quantileEdges,
  rowsOf,
  sameEdges,
  type Histogram,
  type HistogramCounter,
} from './histogram.ts'
export {
  countBetween,
  kolmogorovSmirnovOf,
  sturgesEdges,
  wassersteinOf,
  type KolmogorovSmirnov,
} from './samples.ts'
export { decidePsi, type PsiLevel, type PsiOptions, type PsiVerdict } from './verdict.ts'
