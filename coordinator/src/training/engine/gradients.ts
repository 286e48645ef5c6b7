/**
 * Reverse-mode differentiation on the graph: walks from the loss back over the nodes that led to it and adds, by each
 * operator's rule, the nodes that compute the gradient. The result is a graph like any other, run by the same runtime.
 */
import { invariant } from '@imlma/protocol/result'
import type { GraphBuilder, Value } from '../graph.ts'
import { add } from '../operators.ts'
import { expandLike } from './layout-operators.ts'
import { elementwiseRules } from './elementwise-rules.ts'
import { layoutRules } from './layout-rules.ts'
import { productRules } from './product-rules.ts'
import type { GradientRule } from './rule.ts'

const rules: Readonly<Record<string, GradientRule>> = { ...elementwiseRules, ...layoutRules, ...productRules }

/** The operators that a loss may be made of. */
export const differentiable: readonly string[] = Object.keys(rules)

/**
 * The gradient of a scalar loss by each of these values, of their shapes, zero where the loss does not depend on one.
 * All must be of this builder's own graph, not of one around it.
 */
export const gradientsOf = (graph: GraphBuilder, loss: Value, values: readonly Value[]): readonly Value[] => {
  invariant(loss.shape.length === 0, 'a loss is one number')
  const nodes = [...graph.nodes]
  // Forwards: what depends on the values at all.
  const dependent = new Set<Value>(values)
  for (const { inputs, outputs } of nodes)
    if (inputs.some((input) => dependent.has(input))) for (const output of outputs) dependent.add(output)

  const gradients = new Map<Value, Value>([[loss, graph.scalar(loss.type, 1)]])
  for (const node of nodes.toReversed()) {
    const known = node.outputs.map((output) => (dependent.has(output) ? gradients.get(output) : undefined))
    if (known.every((gradient) => gradient === undefined)) continue
    const rule = rules[node.operator]
    invariant(rule !== undefined, `${node.operator} has a gradient rule`)
    for (const [i, gradient] of rule(graph, node, known).entries()) {
      const input = node.inputs[i]
      if (input === undefined || gradient === undefined || !dependent.has(input)) continue
      const before = gradients.get(input)
      const added = gradient()
      gradients.set(input, before === undefined ? added : add(graph, before, added))
    }
  }
  return values.map((value) => gradients.get(value) ?? expandLike(graph, graph.scalar(value.type, 0), value))
}
