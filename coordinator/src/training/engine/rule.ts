/** What a gradient rule is. The rules are in `*-rules.ts`, the walk that applies them in `gradients.ts`. */
import { invariant } from '@imlma/protocol/result'
import type { GraphBuilder, Initializer, Node, Value } from '../graph.ts'

/**
 * Given the gradient of the loss by each output of a node (undefined where the loss does not see it), one function
 * per input that adds the nodes of the gradient by that input and returns it, of the input's shape. Functions,
 * because most gradients are not wanted. An input without one passes no gradient on.
 */
export type GradientRule = (
  graph: GraphBuilder,
  node: Node,
  gradients: readonly (Value | undefined)[],
) => readonly ((() => Value) | undefined)[]

export interface NodeWithGradient {
  readonly graph: GraphBuilder
  readonly node: Node
  readonly a: Value
  readonly b: Value
  readonly output: Value
  /** The gradient by the output. */
  readonly gradient: Value
}

/** A rule for a node with one output. */
export const ruleOf =
  (rule: (parts: NodeWithGradient) => readonly (() => Value)[]): GradientRule =>
  (graph, node, [gradient]) => {
    const [a, b] = node.inputs
    const [output] = node.outputs
    invariant(a !== undefined && output !== undefined && gradient !== undefined, 'a node with one output')
    return rule({ graph, node, a, b: b ?? a, output, gradient })
  }

/** The numbers of a constant. */
export const numbersOf = (value: Value | undefined): readonly number[] => {
  invariant(value !== undefined && 'values' in value, 'an input that is a constant')
  return Array.from((value as Initializer).values)
}

export const attributeOf = ({ operator, attributes }: Node, name: string): number => {
  const attribute = attributes[name]
  invariant(typeof attribute === 'number', `${operator} has the attribute ${name}`)
  return attribute
}
