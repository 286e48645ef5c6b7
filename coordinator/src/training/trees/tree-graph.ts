/**
 * The forecaster as a graph: [batch, F] raw → normalised → [batch · H, W] long rows of the columns that are asked for
 * → one ensemble → [batch, H] (and [batch, Q, H]) → raw units.
 */
import { createGraphBuilder, type Graph, type GraphBuilder, type Value } from '../graph.ts'
import { inlineGraph } from '../inline-graph.ts'
import { denormalise, normaliseRows, type LevelAndScale } from '../normalisation-graph.ts'
import { ensembleAttributes, usedColumns } from './ensemble.ts'
import type { TreeModel } from './tree-model.ts'

/** `offsets` forecasts what the trees correct: `features` [batch, F] → [batch, H]; null where they start from the level. */
export const treeGraph = (model: TreeModel, offsets: Graph | null): Graph => {
  const { count, layout, normalisation, quantiles } = model
  const { horizon } = layout
  const graph = createGraphBuilder('trees')
  const features = graph.input('features', 'float32', ['batch', count])
  const { row, level, scale } = normaliseRows(graph, features, normalisation)
  const forests = [model.forecast, ...quantiles]
  const columns = usedColumns(forests)
  const input = toLongRows(graph, row, layout, columns)
  const answers = graph.node(
    'ai.onnx.ml.TreeEnsembleRegressor',
    [input],
    { type: 'float32', shape: ['places', forests.length] },
    ensembleAttributes(forests, new Map(columns.map((column, position) => [column, position]))),
  )
  const known = offsets === null ? null : (inlineGraph(graph, offsets, 'offset_', [features])[0] as Value)

  const raw = (value: Value, name: string, shaped: (one: Value) => Value): Value => {
    const own: LevelAndScale = {
      level: known === null ? level && shaped(level) : shaped(known),
      scale: scale && shaped(scale),
    }
    // An output has a name of its own, also where nothing is left to do to it.
    return own.level === null && own.scale === null
      ? graph.node('Identity', [value], { name, type: value.type, shape: value.shape })
      : denormalise(graph, value, own, name)
  }
  const pick = (targets: readonly number[]): Value =>
    graph.node(
      'Gather',
      [answers, graph.list('int64', targets)],
      { type: 'float32', shape: ['places', targets.length] },
      { axis: 1 },
    )
  const forecast = raw(reshape(graph, pick([0]), [-1, horizon], ['batch', horizon]), 'forecast', (one) => one)
  if (quantiles.length === 0) return graph.build([forecast])

  const number = quantiles.length
  const ascending = inOrder(graph, pick(quantiles.map((_, i) => i + 1)))
  const byStep = reshape(graph, ascending, [-1, horizon, number], ['batch', horizon, number])
  const byQuantile = graph.node(
    'Transpose',
    [byStep],
    { type: 'float32', shape: ['batch', number, horizon] },
    { perm: [0, 2, 1] },
  )
  const between = (one: Value): Value => {
    const steps = one.shape[1] as number
    return reshape(graph, one, [-1, 1, steps], ['batch', 1, steps])
  }
  return graph.build([forecast, raw(byQuantile, 'quantiles', between)])
}

/** One gather makes all steps' rows; the number of the step is put in where it is asked for. */
const toLongRows = (
  graph: GraphBuilder,
  row: Value,
  { horizon, stepColumn, wideColumn }: TreeModel['layout'],
  columns: readonly number[],
): Value => {
  const width = columns.length
  const sources = Array.from({ length: horizon }, (_, step) =>
    columns.map((column) => (column === stepColumn ? 0 : wideColumn(column, step))),
  ).flat()
  const indices = graph.constant('long_columns', 'int64', [horizon, width], sources)
  const shape = ['batch', horizon, width]
  let long = graph.node('Gather', [row, indices], { type: 'float32', shape }, { axis: 1 })
  if (stepColumn !== null && columns.includes(stepColumn)) {
    const isStep = columns.map((column) => (column === stepColumn ? 1 : 0))
    const steps = Array.from({ length: horizon }, (_, step) => step + 1)
    long = graph.node(
      'Where',
      [
        graph.constant('is_step', 'bool', [width], isStep),
        graph.constant('steps', 'float32', [horizon, 1], steps),
        long,
      ],
      { type: 'float32', shape },
    )
  }
  return reshape(graph, long, [-1, width], ['places', width])
}

/** The columns of every row in ascending order. */
const inOrder = (graph: GraphBuilder, rows: Value): Value => {
  const { shape } = rows
  return graph.nodeWith(
    'TopK',
    [rows, graph.list('int64', [shape[1] as number])],
    [
      { type: 'float32', shape },
      { type: 'int64', shape },
    ],
    { axis: 1, largest: 0, sorted: 1 },
  )[0] as Value
}

const reshape = (graph: GraphBuilder, value: Value, sizes: readonly number[], shape: Value['shape']): Value =>
  graph.node('Reshape', [value, graph.list('int64', sizes)], { type: value.type, shape })
