/**
 * One epoch as one graph: a `Loop` over mini-batches whose body picks the rows, computes loss and gradient and takes
 * a step of Adam. Weights and moments go in and come out as flat lists; what changes per step comes in as lists.
 *
 *   in   steps int64 · weights, first, second [P] · features [N, F] · targets [N, H] · order int32 [steps, batch]
 *        rate, firstScale, secondScale [steps]
 *   out  nextWeights, nextFirst, nextSecond [P] · losses [steps], each before its step
 */
import { absent, createGraphBuilder, type Graph, type GraphBuilder, type Value } from '../graph.ts'
import { adamNodes, type AdamOptions } from './adam.ts'
import { gradientsOf } from './gradients.ts'
import { gather } from './layout-operators.ts'
import { decayMask, parameterCount, parametersFrom } from './parameters.ts'
import type { Problem } from './problem.ts'

/** The batch's size is part of the graph: what depends on it is computed when the graph is loaded. */
export const epochGraph = (problem: Problem, batchRows: number, adam: AdamOptions): Graph => {
  const graph = createGraphBuilder(`${problem.name}_epoch`)
  const count = parameterCount(problem.parameters)
  const steps = graph.input('steps', 'int64', [])
  const state = ['weights', 'first', 'second'].map((name) => graph.input(name, 'float32', [count]))
  const rows: EpochRows = {
    features: graph.input('features', 'float32', ['rows', problem.features]),
    targets: graph.input('targets', 'float32', ['rows', problem.targets]),
    order: graph.input('order', 'int32', ['steps', batchRows]),
    rate: graph.input('rate', 'float32', ['steps']),
    firstScale: graph.input('firstScale', 'float32', ['steps']),
    secondScale: graph.input('secondScale', 'float32', ['steps']),
  }
  const body = stepGraph(graph.nested('step'), problem, rows, adam)
  const outputs = graph.nodeWith(
    'Loop',
    [steps, absent, ...state],
    [
      ...['nextWeights', 'nextFirst', 'nextSecond'].map((name) => ({
        name,
        type: 'float32' as const,
        shape: [count],
      })),
      { name: 'losses', type: 'float32', shape: ['steps'] },
    ],
    { body: { graph: body } },
  )
  return graph.build(outputs)
}

type EpochRows = Readonly<
  Record<'features' | 'targets' | 'order' | 'rate' | 'firstScale' | 'secondScale', Value>
>

const stepGraph = (body: GraphBuilder, problem: Problem, rows: EpochRows, adam: AdamOptions): Graph => {
  const count = parameterCount(problem.parameters)
  const step = body.input('step', 'int64', [])
  const goesOn = body.input('goes_on', 'bool', [])
  const list = (name: string): Value => body.input(`step_${name}`, 'float32', [count])
  const before = { weights: list('weights'), first: list('first'), second: list('second') }
  const now = (values: Value): Value => gather(body, values, step, 0)

  const picked = now(rows.order)
  const batch = {
    features: gather(body, rows.features, picked, 0),
    targets: gather(body, rows.targets, picked, 0),
  }
  const parameters = parametersFrom(body, before.weights, problem.parameters)
  const loss = problem.loss(body, batch, parameters, 'train')
  const [gradient] = gradientsOf(body, loss, [before.weights]) as [Value]
  const scalars = {
    rate: now(rows.rate),
    firstScale: now(rows.firstScale),
    secondScale: now(rows.secondScale),
  }
  const after = adamNodes(body, before, gradient, scalars, adam, decayMask(problem.parameters))
  const still = body.node('Identity', [goesOn], { type: 'bool', shape: [] })
  return body.build([still, after.weights, after.first, after.second, loss])
}

/** The mean loss of rows with given weights: features [N, F], targets [N, H], weights [P] → loss. */
export const lossGraph = (problem: Problem): Graph => {
  const graph = createGraphBuilder(`${problem.name}_loss`)
  const weights = graph.input('weights', 'float32', [parameterCount(problem.parameters)])
  const batch = {
    features: graph.input('features', 'float32', ['rows', problem.features]),
    targets: graph.input('targets', 'float32', ['rows', problem.targets]),
  }
  const loss = problem.loss(graph, batch, parametersFrom(graph, weights, problem.parameters), 'check')
  return graph.build([graph.node('Identity', [loss], { name: 'loss', type: 'float32', shape: [] })])
}
