/**
 * A linear forecaster with its normalisation: what ridge learns and what seasonal naive is. Here are the trainer's
 * own forecast in double precision and the same computation as an ONNX graph.
 */
import { createGraphBuilder, type Graph, type Value } from './graph.ts'
import { denormalise, normaliseRows } from './normalisation-graph.ts'
import { levelOf, scaleOf, type Normalisation } from './normalisation.ts'
import { divide, gemm, subtract } from './operators.ts'

export interface LinearModel {
  readonly features: number
  readonly horizon: number
  readonly normalisation: Normalisation
  /** Per column, of the normalised features. A constant column has the deviation 1. */
  readonly means: Float32Array
  readonly deviations: Float32Array
  /** F × H, row-major, for standardised features. */
  readonly weights: Float32Array
  readonly intercepts: Float32Array
}

/** `features` rows × F → rows × H, in the unit of the series. */
export const forecastLinear = (model: LinearModel, features: Float32Array, rows: number): Float64Array => {
  const { horizon, normalisation } = model
  const forecasts = new Float64Array(rows * horizon)
  const standardised = new Float64Array(model.features)
  for (let row = 0; row < rows; row++) {
    const offset = row * model.features
    const level = levelOf(normalisation, features, offset)
    const scale = scaleOf(normalisation, features, offset, level)
    standardiseRow(model, features, offset, level, scale, standardised, 0)
    const out = forecasts.subarray(row * horizon, (row + 1) * horizon)
    out.set(model.intercepts)
    for (let column = 0; column < model.features; column++) {
      const value = standardised[column] as number
      if (value === 0) continue
      const at = column * horizon
      for (let step = 0; step < horizon; step++)
        out[step] = (out[step] as number) + value * (model.weights[at + step] as number)
    }
    for (let step = 0; step < horizon; step++) out[step] = (out[step] as number) * scale + level
  }
  return forecasts
}

/** Writes one standardised row of `model.features` columns into `target` from `at` on. */
export const standardiseRow = (
  {
    features: count,
    normalisation,
    means,
    deviations,
  }: Pick<LinearModel, 'features' | 'normalisation' | 'means' | 'deviations'>,
  features: Float32Array,
  offset: number,
  level: number,
  scale: number,
  target: Float64Array,
  at: number,
): void => {
  const { levelMask, scaleMask } = normalisation
  for (let column = 0; column < count; column++) {
    const centred = (features[offset + column] as number) - level * (levelMask[column] as number)
    const normalised = scaleMask[column] === 1 ? centred / scale : centred
    target[at + column] = (normalised - (means[column] as number)) / (deviations[column] as number)
  }
}

/** `features` float32 [batch, F] → `forecast` float32 [batch, H]: raw units in, raw units out. */
export const linearGraph = (model: LinearModel, name: string): Graph => {
  const { features: count, horizon, normalisation } = model
  const graph = createGraphBuilder(name)
  const constant = (label: string, values: Float32Array): Value =>
    graph.constant(label, 'float32', [values.length], values)
  const features = graph.input('features', 'float32', ['batch', count])
  const { row, level, scale } = normaliseRows(graph, features, normalisation)
  const standardised = divide(
    graph,
    subtract(graph, row, constant('means', model.means)),
    constant('deviations', model.deviations),
  )
  const weights = graph.constant('weights', 'float32', [count, horizon], model.weights)
  const last = level === null && scale === null ? 'forecast' : 'normalised_forecast'
  const normalised = gemm(graph, [standardised, weights, constant('intercepts', model.intercepts)], {
    name: last,
  })
  return graph.build([denormalise(graph, normalised, { level, scale }, 'forecast')])
}
