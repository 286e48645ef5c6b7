/** One model inside another: the nodes of a finished graph, added to a graph that is being built. */
import { invariant } from '@imlma/protocol/result'
import type { Graph, GraphBuilder, Value } from './graph.ts'

/** `prefix` keeps the names apart; `inputs` stand in for those of `inner`. Returns what its outputs became, in order. */
export const inlineGraph = (
  graph: GraphBuilder,
  inner: Graph,
  prefix: string,
  inputs: readonly Value[],
): readonly Value[] => {
  invariant(inputs.length === inner.inputs.length, 'a value for every input of the inner graph')
  const became = new Map(inner.inputs.map(({ name }, i) => [name, inputs[i] as Value]))
  const replaced = ({ name }: Value): Value => {
    const value = became.get(name)
    invariant(value !== undefined, `${name} is made before it is used`)
    return value
  }
  for (const { name, type, shape, values } of inner.initializers)
    became.set(name, graph.constant(`${prefix}${name}`, type, shape as readonly number[], values))
  for (const { operator, inputs: used, outputs, attributes } of inner.nodes) {
    const made = graph.nodeWith(
      operator,
      used.map((value) => (value.name === '' ? value : replaced(value))),
      outputs.map(({ name, type, shape }) => ({ name: `${prefix}${name}`, type, shape })),
      attributes,
    )
    outputs.forEach(({ name }, i) => became.set(name, made[i] as Value))
  }
  return inner.outputs.map(replaced)
}
