/**
 * A linear forecaster with its normalisation: what ridge learns and what seasonal naive is. Here are the trainer's
 * own forecast in double precision and the same computation as an ONNX graph.
 */
import { createGraphBuilder, type Graph, type GraphBuilder, type Value } from './graph.ts'
import { levelOf, scaleMin, scaleOf, scaleShareMin, type Normalisation } from './normalisation.ts'
import { absolute, add, divide, gatherColumns, gemm, maximum, multiply, subtract } from './operators.ts'

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
  const { level, scale } = levelAndScale(graph, features, normalisation)
  let row = features
  if (level !== null)
    row = subtract(graph, row, multiply(graph, level, constant('level_mask', normalisation.levelMask)))
  if (scale !== null) {
    const { scaleMask } = normalisation
    const rest = constant(
      'plain_mask',
      scaleMask.map((share) => 1 - share),
    )
    row = divide(graph, row, add(graph, multiply(graph, scale, constant('scale_mask', scaleMask)), rest))
  }
  row = divide(
    graph,
    subtract(graph, row, constant('means', model.means)),
    constant('deviations', model.deviations),
  )
  const weights = graph.constant('weights', 'float32', [count, horizon], model.weights)
  const last = level === null && scale === null ? 'forecast' : 'normalised_forecast'
  let forecast = gemm(graph, [row, weights, constant('intercepts', model.intercepts)], { name: last })
  if (scale !== null)
    forecast = multiply(graph, forecast, scale, level === null ? 'forecast' : 'scaled_forecast')
  if (level !== null) forecast = add(graph, forecast, level, 'forecast')
  return graph.build([forecast])
}

const levelAndScale = (
  graph: GraphBuilder,
  features: Value,
  { levelColumn, scaleColumn }: Normalisation,
): { readonly level: Value | null; readonly scale: Value | null } => {
  const column = (label: string, index: number): Value =>
    gatherColumns(graph, features, graph.constant(label, 'int64', [1], [index]))
  const scalar = (label: string, value: number): Value => graph.constant(label, 'float32', [1], [value])
  const level = levelColumn === null ? null : column('level_column', levelColumn)
  if (scaleColumn === null) return { level, scale: null }
  const spread = maximum(graph, column('scale_column', scaleColumn), scalar('scale_min', scaleMin))
  if (level === null) return { level, scale: spread }
  const share = multiply(graph, absolute(graph, level), scalar('scale_share_min', scaleShareMin))
  return { level, scale: maximum(graph, spread, share) }
}
