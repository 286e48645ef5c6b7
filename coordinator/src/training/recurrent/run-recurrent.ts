/** A recurrent model on the runtime that serves: rows freed of level and scale, and forecasts with the weights fed. */
import type { GraphSessions } from '../engine/session.ts'
import type { Examples } from '../examples.ts'
import { createGraphBuilder, type Graph } from '../graph.ts'
import { standardRows } from '../perceptron/network.ts'
import type { Network } from './network.ts'
import { recurrentGraph, type RecurrentModel } from './recurrent-graph.ts'

/** Rows per run: bounds the memory. */
const blockRows = 2_048

type RawRows = Pick<Examples, 'rows' | 'features'>

/** rows × F raw → rows × F as the network sees them. */
export const standardised = async (
  sessions: GraphSessions,
  network: Network,
  rows: RawRows,
): Promise<Float32Array> => {
  const graph = createGraphBuilder('standard_rows')
  const { row } = standardRows(graph, graph.input('features', 'float32', ['batch', network.count]), network)
  const [values] = await runRows(sessions, graph.build([row]), rows)
  return values as Float32Array
}

export interface RecurrentForecasts {
  /** rows × H, in the unit of the series. */
  readonly forecast: Float32Array
  /** The network's own answer, standardised. */
  readonly answer: Float32Array
}

export const runRecurrent = async (
  sessions: GraphSessions,
  model: RecurrentModel,
  rows: RawRows,
): Promise<RecurrentForecasts> => {
  const { weights } = model
  const fed = { weights: { shape: [weights.length], values: weights } }
  const [forecast, answer] = await runRows(sessions, recurrentGraph(model, 'fed'), rows, fed)
  return { forecast: forecast as Float32Array, answer: answer as Float32Array }
}

/** Every output of the graph over all rows. */
const runRows = async (
  sessions: GraphSessions,
  graph: Graph,
  { rows, features }: RawRows,
  fed: Parameters<Awaited<ReturnType<GraphSessions['open']>>['run']>[0] = {},
): Promise<readonly Float32Array[]> => {
  const count = features.length / rows
  const outputs = graph.outputs.map(({ shape }) => new Float32Array(rows * Number(shape[1])))
  const session = await sessions.open(graph)
  try {
    for (let first = 0; first < rows; first += blockRows) {
      const last = Math.min(rows, first + blockRows)
      const values = features.subarray(first * count, last * count)
      const results = await session.run({ ...fed, features: { shape: [last - first, count], values } })
      graph.outputs.forEach(({ name, shape }, i) =>
        outputs[i]?.set(results[name] as Float32Array, first * Number(shape[1])),
      )
    }
    return outputs
  } finally {
    await session.close()
  }
}
