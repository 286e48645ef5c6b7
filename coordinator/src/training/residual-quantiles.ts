/**
 * Quantiles for a learner that forecasts one value: how far beside forecasts of a model that was not fitted to them
 * (only a few choices, as a penalty or when to stop, were made by them) did the actuals of the validation part lie?
 * In units of the error that is to be expected here (`spread.ts`), so that the range is wide where errors are large;
 * per step. Part of the model's graph as its second output.
 *
 * Split conformal prediction with normalised scores. Source: Lei et al. 2018, section 5.2. Not here: quantiles that
 * are learned (trees and perceptron have their own).
 */
import { unsqueeze } from './engine/layout-operators.ts'
import { createGraphBuilder, type Graph, type Value } from './graph.ts'
import { inlineGraph } from './inline-graph.ts'
import type { TrainedModel } from './learner.ts'
import { add, multiply } from './operators.ts'
import { addSpread, type Spread } from './spread.ts'

/** Errors behind each quantile at least, as far as there are so many; steps beside lend theirs. */
const errorsMin = 400

/** `spreads`: of the validation part, rows × H. */
export const withResidualQuantiles = <Model extends TrainedModel>(
  model: Model,
  spread: Spread,
  spreads: Float32Array,
  probabilities: readonly number[],
): Model => {
  const { horizon } = spread
  const offsets = offsetsOf(model, spreads, horizon, probabilities)
  return {
    ...model,
    graph: graphWith(model.graph, spread, offsets),
    quantiles: {
      probabilities,
      forecast: async (features: Float32Array, rows: number) =>
        around(await model.forecast(features, rows), spread.forecast(features, rows), offsets, horizon),
    },
  }
}

/** Q × H, ascending in Q: quantiles of (actual − forecast) / spread. */
const offsetsOf = (
  { residuals, residualPlaces }: Pick<TrainedModel, 'residuals' | 'residualPlaces'>,
  spreads: Float32Array,
  horizon: number,
  probabilities: readonly number[],
): Float32Array => {
  const byStep = Array.from({ length: horizon }, (): number[] => [])
  for (let i = 0; i < residuals.length; i++) {
    const place = residualPlaces?.[i] ?? i
    const error = -(residuals[i] as number) / (spreads[place] as number)
    if (Number.isFinite(error)) byStep[place % horizon]?.push(error)
  }
  const perStep = residuals.length / horizon
  const reach = perStep >= errorsMin ? 0 : Math.ceil((errorsMin / Math.max(1, perStep) - 1) / 2)
  const offsets = new Float32Array(probabilities.length * horizon)
  for (let step = 0; step < horizon; step++) {
    const sorted = Float64Array.from(
      byStep.slice(Math.max(0, step - reach), step + reach + 1).flat(),
    ).toSorted()
    probabilities.forEach((probability, q) => {
      offsets[q * horizon + step] = quantileOf(sorted, probability)
    })
  }
  return offsets
}

/** Linear between ranks p · (n + 1): of n errors to come as of those that came, a share p lies below. */
const quantileOf = (sorted: Float64Array, probability: number): number => {
  if (sorted.length === 0) return 0
  const rank = Math.min(sorted.length - 1, Math.max(0, probability * (sorted.length + 1) - 1))
  const [below, above] = [sorted[Math.floor(rank)] as number, sorted[Math.ceil(rank)] as number]
  return below + (above - below) * (rank - Math.floor(rank))
}

/** rows × Q × H. */
const around = (
  forecasts: ArrayLike<number>,
  spreads: Float32Array,
  offsets: Float32Array,
  horizon: number,
): Float64Array => {
  const rows = forecasts.length / horizon
  const values = new Float64Array(rows * offsets.length)
  for (let row = 0; row < rows; row++) {
    for (let i = 0; i < offsets.length; i++) {
      const place = row * horizon + (i % horizon)
      values[row * offsets.length + i] =
        (forecasts[place] as number) + (spreads[place] as number) * (offsets[i] as number)
    }
  }
  return values
}

const graphWith = (point: Graph, spread: Spread, offsets: Float32Array): Graph => {
  const { count, horizon } = spread
  const graph = createGraphBuilder(point.name)
  const features = graph.input('features', 'float32', ['batch', count])
  const forecast = inlineGraph(graph, point, '', [features])[0] as Value
  /** [batch, H] → [batch, 1, H]. */
  const between = (value: Value): Value => unsqueeze(graph, value, [1])
  const beside = graph.constant('quantile_offsets', 'float32', [offsets.length / horizon, horizon], offsets)
  const width = multiply(graph, between(addSpread(graph, features, spread)), beside)
  return graph.build([forecast, add(graph, between(forecast), width, 'quantiles')])
}
