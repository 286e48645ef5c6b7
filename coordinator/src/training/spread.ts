/**
 * How large an error is to be expected of a forecast, by its features: a ridge regression of the absolute errors that
 * another ridge made on the training part. A forecast at noon, at a high load or in a restless week says so itself.
 */
import type { Examples } from './examples.ts'
import type { Graph, GraphBuilder, Value } from './graph.ts'
import { inlineGraph } from './inline-graph.ts'
import type { FeatureLayout, TrainingExamples } from './learner.ts'
import { levelAndScale } from './normalisation-graph.ts'
import {
  levelOf,
  planNormalisation,
  scaleOf,
  usualNormalisation,
  type Normalisation,
  type NormalisationChoice,
} from './normalisation.ts'
import { maximum, multiply } from './operators.ts'
import { evenPlaces, rowsAt } from './some-rows.ts'

export interface Spread {
  readonly count: number
  readonly horizon: number
  /** rows × F → rows × H, in the unit of the series, above zero. */
  readonly forecast: (features: Float32Array, rows: number) => Float32Array
  /** Forecasts [batch, H] before the floor. */
  readonly graph: Graph
  readonly normalisation: Normalisation
  /** Per step, in units of the row's scale: a linear map may fall to zero and below. */
  readonly floors: Float32Array
}

/** A ridge regression as this file needs it. */
export type FitLinear = (
  examples: TrainingExamples<FeatureLayout>,
  wishes: { readonly normalisation: NormalisationChoice; readonly lambdas?: number[] },
) => Promise<{
  readonly graph: Graph
  readonly forecast: (features: Float32Array, rows: number) => ArrayLike<number>
}>

/** Rows it is fitted on where `rowsPerColumnMin` asks for no more: a coarse map needs few. */
const rowsUsual = 3_000

/** Coarser and stronger than for a forecast: absolute errors are mostly noise. */
const lambdas = [0.1, 10]

/** So many rows a column, or a model has learned its training rows by heart: their errors tell nothing of others. */
const rowsPerColumnMin = 10

/** Leaves the mean of each step. */
const crushing = 1e6

/** Of the mean absolute error. */
const floorShare = 0.25

/** `forecast`: the ridge whose errors are looked at, fitted on the training part. */
export const fitSpread = async (
  fit: FitLinear,
  { builder, train, validation }: TrainingExamples<FeatureLayout>,
  forecast: (features: Float32Array, rows: number) => ArrayLike<number>,
): Promise<Spread> => {
  const { count, horizon } = builder
  // The level stays in: errors often grow with it.
  const choice: NormalisationChoice = { level: 'none', scale: usualNormalisation(builder).scale }
  const normalisation = planNormalisation(builder, choice)
  const some = absoluteErrors(evenly(train, builder), forecast)
  const examples = { builder, train: some, validation: absoluteErrors(evenly(validation, builder), forecast) }
  const linear = await fit(examples, {
    normalisation: choice,
    lambdas: some.rows < rowsPerColumnMin * columnsOf(builder) ? [crushing] : lambdas,
  })
  const floors = new Float32Array(horizon)
  for (let row = 0; row < some.rows; row++) {
    const scale = scaleAt(normalisation, some.features, row * count)
    for (let step = 0; step < horizon; step++) {
      const share = (floorShare * (some.targets[row * horizon + step] as number)) / scale / some.rows
      floors[step] = (floors[step] as number) + share
    }
  }
  // Errors of zero all over still need a unit.
  floors.forEach((floor, step) => (floors[step] = Math.max(floor, 1e-6)))
  return {
    count,
    horizon,
    graph: linear.graph,
    normalisation,
    floors,
    forecast: (features, rows) => {
      const spreads = Float32Array.from(linear.forecast(features, rows))
      for (let row = 0; row < rows; row++) {
        const scale = scaleAt(normalisation, features, row * count)
        for (let step = 0; step < horizon; step++) {
          const place = row * horizon + step
          spreads[place] = Math.max(spreads[place] as number, (floors[step] as number) * scale)
        }
      }
      return spreads
    },
  }
}

/** The same as nodes of a graph: `features` [batch, F] → [batch, H]. */
export const addSpread = (
  graph: GraphBuilder,
  features: Value,
  { graph: linear, normalisation, floors }: Spread,
): Value => {
  const spread = inlineGraph(graph, linear, 'spread_', [features])[0] as Value
  const { scale } = levelAndScale(graph, features, normalisation, 'spread_of_')
  const least = graph.constant('spread_floors', 'float32', [floors.length], floors)
  return maximum(graph, spread, scale === null ? least : multiply(graph, scale, least))
}

/** That one step sees. */
const columnsOf = ({ sharedCount, stepCount }: FeatureLayout): number => sharedCount + stepCount

const scaleAt = (normalisation: Normalisation, features: Float32Array, offset: number): number =>
  scaleOf(normalisation, features, offset, levelOf(normalisation, features, offset))

/** Rows with |forecast − actual| for targets. */
const absoluteErrors = (
  examples: Examples,
  forecast: (features: Float32Array, rows: number) => ArrayLike<number>,
): Examples => {
  const forecasts = forecast(examples.features, examples.rows)
  return {
    ...examples,
    targets: examples.targets.map((actual, i) => Math.abs((forecasts[i] as number) - actual)),
  }
}

/** As many rows as a spread needs, spread over all of them. */
export const evenly = (examples: Examples, layout: FeatureLayout): Examples => {
  const rows = Math.min(examples.rows, Math.max(rowsUsual, rowsPerColumnMin * columnsOf(layout)))
  return rows === examples.rows ? examples : rowsAt(examples, layout, evenPlaces(examples.rows, rows))
}
