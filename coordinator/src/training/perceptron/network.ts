/**
 * The network itself: raw rows → normalised and standardised rows → dense layers → one standardised forecast per step
 * and, where asked for, quantiles that cannot cross. This one function makes the graph that trains and the one that serves.
 */
import { activate } from '../engine/activations.ts'
import { dense, denseParameters } from '../engine/dense.ts'
import { concat, slice, unsqueeze } from '../engine/layout-operators.ts'
import { absoluteLoss, huberLoss, pinballLoss, squaredLoss, totalLoss } from '../engine/losses.ts'
import type { Parameters, ParameterSpec } from '../engine/parameters.ts'
import type { Problem } from '../engine/problem.ts'
import type { GraphBuilder, Value } from '../graph.ts'
import { normaliseRows, type LevelAndScale } from '../normalisation-graph.ts'
import type { Normalisation } from '../normalisation.ts'
import { add, divide, maximum, minimum, subtract } from '../operators.ts'
import type { PerceptronParameters } from './parameters.ts'

export interface Network extends Pick<
  PerceptronParameters,
  'layers' | 'width' | 'activation' | 'dropout' | 'loss'
> {
  /** Columns of a raw row. */
  readonly count: number
  readonly horizon: number
  readonly normalisation: Normalisation
  /** Of the normalised columns. */
  readonly means: Float32Array
  readonly deviations: Float32Array
  /** Ascending. */
  readonly probabilities: readonly number[]
}

export interface Heads {
  /** [batch, H], standardised. */
  readonly forecast: Value
  /** [batch, Q, H], ascending in Q; null where none are asked for. */
  readonly quantiles: Value | null
}

/** A column this many deviations away says no more than that: a spike in one reading must not decide a forecast. */
const deviationsMax = 10

/** Errors beyond this many deviations count linearly in the Huber loss. */
const huberDelta = 1

export const networkParameters = (network: Network): readonly ParameterSpec[] => {
  const { count, horizon, layers, width, probabilities } = network
  const hidden = Array.from({ length: layers }, () => width)
  // A small last layer: the first forecast is what the network corrects.
  return denseParameters([count, ...hidden, horizon * (1 + probabilities.length)], 'small')
}

/** `features` [batch, F], raw → what the first layer sees. Once per graph: its constants have names. */
export const standardRows = (
  graph: GraphBuilder,
  features: Value,
  { normalisation, means, deviations }: Pick<Network, 'normalisation' | 'means' | 'deviations'>,
): LevelAndScale & { readonly row: Value } => {
  const { row, level, scale } = normaliseRows(graph, features, normalisation)
  const constant = (label: string, values: Float32Array): Value =>
    graph.constant(label, 'float32', [values.length], values)
  const standard = divide(
    graph,
    subtract(graph, row, constant('means', means)),
    constant('deviations', deviations),
  )
  const most = graph.scalar('float32', deviationsMax)
  const least = graph.scalar('float32', -deviationsMax)
  return { row: maximum(graph, minimum(graph, standard, most), least), level, scale }
}

/** `row` [batch, F], standardised. */
export const headsOf = (
  graph: GraphBuilder,
  row: Value,
  parameters: Parameters,
  network: Network,
  phase: 'train' | 'check',
): Heads => {
  const { layers, activation, dropout, horizon, probabilities } = network
  const options = { layers: layers + 1, activation, dropout: phase === 'train' ? dropout : 0 }
  const answers = dense(graph, row, parameters, options)
  if (probabilities.length === 0) return { forecast: answers, quantiles: null }
  const block = (number: number): Value => slice(graph, answers, 1, number * horizon, (number + 1) * horizon)
  return {
    forecast: block(0),
    quantiles: ascending(
      graph,
      probabilities.map((_, i) => block(i + 1)),
    ),
  }
}

/** The middle one is free; the others keep a distance that softplus makes positive. */
const ascending = (graph: GraphBuilder, answers: readonly Value[]): Value => {
  const middle = answers.length >>> 1
  const quantiles = [...answers]
  const distance = (i: number): Value => activate(graph, 'softplus', answers[i] as Value)
  for (let i = middle + 1; i < answers.length; i++)
    quantiles[i] = add(graph, quantiles[i - 1] as Value, distance(i))
  for (let i = middle - 1; i >= 0; i--) quantiles[i] = subtract(graph, quantiles[i + 1] as Value, distance(i))
  return concat(
    graph,
    quantiles.map((one) => unsqueeze(graph, one, [1])),
    1,
  )
}

/** Features raw, targets standardised (see `targets.ts`). */
export const networkProblem = (network: Network): Problem => ({
  name: 'perceptron',
  features: network.count,
  targets: network.horizon,
  parameters: networkParameters(network),
  loss: (graph, { features, targets }, parameters, phase) => {
    const { row } = standardRows(graph, features, network)
    const { forecast, quantiles } = headsOf(graph, row, parameters, network, phase)
    const own = pointLoss(graph, network, forecast, targets)
    if (quantiles === null) return own
    const actual = unsqueeze(graph, targets, [1])
    return totalLoss(graph, [own, pinballLoss(graph, quantiles, actual, network.probabilities)])
  },
})

const pointLoss = (graph: GraphBuilder, { loss }: Network, forecast: Value, targets: Value): Value => {
  switch (loss) {
    case 'squared':
      return squaredLoss(graph, forecast, targets)
    case 'huber':
      return huberLoss(graph, forecast, targets, huberDelta)
    case 'absolute':
      return absoluteLoss(graph, forecast, targets)
  }
}
