/** Gradients of operators that move, pick and sum numbers. */
import { invariant } from '@imlma/protocol/result'
import type { GraphBuilder, Value } from '../graph.ts'
import { divide } from '../operators.ts'
import {
  cast,
  concat,
  expandLike,
  padZeros,
  shapeOf,
  slice,
  split,
  transpose,
  unsqueeze,
} from './layout-operators.ts'
import { runningSum, sumToShape } from './reductions.ts'
import { attributeOf, numbersOf, ruleOf, type GradientRule } from './rule.ts'

const reshapeLike = (graph: GraphBuilder, a: Value, like: Value): Value =>
  graph.node('Reshape', [a, shapeOf(graph, like)], { type: a.type, shape: like.shape })

/** The gradient of a reduction, spread over what was reduced. */
const spread = (graph: GraphBuilder, gradient: Value, axes: readonly number[], like: Value): Value => {
  const kept = gradient.shape.length === like.shape.length
  return expandLike(graph, kept || axes.length === 0 ? gradient : unsqueeze(graph, gradient, axes), like)
}

/** How many values of `a` make one of `reduced`: a constant where the sizes are known. */
const countOf = (graph: GraphBuilder, a: Value, reduced: Value, axes: readonly number[]): Value => {
  const sizes = axes.map((axis) => a.shape[axis])
  if (sizes.every((size) => typeof size === 'number'))
    return graph.scalar(
      a.type,
      sizes.reduce((product, size) => product * size, 1),
    )
  const size = (of: Value): Value => {
    const whole = graph.node('Size', [of], { type: 'int64', shape: [] })
    return cast(graph, whole, a.type)
  }
  return divide(graph, size(a), size(reduced))
}

/** Adds the rows of the gradient to zeros at the places they were picked from; a place may occur twice. */
const scatter = (graph: GraphBuilder, gradient: Value, indices: Value, axis: number, like: Value): Value => {
  const list = indices.shape.length === 1
  const updates = list ? gradient : unsqueeze(graph, gradient, [axis])
  const others = updates.shape.map((_, i) => i).filter((i) => i !== axis)
  const places = unsqueeze(graph, list ? indices : unsqueeze(graph, indices, [0]), others)
  const everywhere = expandLike(graph, places, updates)
  const zeros = expandLike(graph, graph.scalar(gradient.type, 0), like)
  return graph.node(
    'ScatterElements',
    [zeros, everywhere, updates],
    { type: gradient.type, shape: like.shape },
    { axis, reduction: { string: 'add' } },
  )
}

export const layoutRules: Readonly<Record<string, GradientRule>> = {
  Identity: ruleOf(({ gradient }) => [() => gradient]),
  Reshape: ruleOf(({ graph, a, gradient }) => [() => reshapeLike(graph, gradient, a)]),
  Unsqueeze: ruleOf(({ graph, a, gradient }) => [() => reshapeLike(graph, gradient, a)]),
  Expand: ruleOf(({ graph, a, gradient }) => [() => sumToShape(graph, gradient, a.shape)]),
  Transpose: ruleOf(({ graph, node, gradient }) => {
    const order = node.attributes['perm'] as readonly number[]
    return [
      () =>
        transpose(
          graph,
          gradient,
          order.map((_, i) => order.indexOf(i)),
        ),
    ]
  }),
  Concat: ruleOf(({ graph, node, gradient }) => {
    const axis = attributeOf(node, 'axis')
    const sizes = node.inputs.map(({ shape }) => shape[axis] as number)
    let parts: readonly Value[] | undefined
    return sizes.map((_, i) => () => (parts ??= split(graph, gradient, axis, sizes))[i] as Value)
  }),
  Split: (graph, node, gradients) => [
    () => {
      const parts = node.outputs.map(
        (output, i) => gradients[i] ?? expandLike(graph, graph.scalar(output.type, 0), output),
      )
      return concat(graph, parts, attributeOf(node, 'axis'))
    },
  ],
  Slice: ruleOf(({ graph, node, a, gradient }) => {
    const [start, end, axis] = node.inputs.slice(1).map((input) => numbersOf(input)[0]) as [
      number,
      number,
      number,
    ]
    return [() => padZeros(graph, gradient, axis, start, (a.shape[axis] as number) - end)]
  }),
  Pad: ruleOf(({ graph, node, a, gradient }) => {
    const pads = numbersOf(node.inputs[1])
    const axis = a.shape.findIndex((size, i) => size !== gradient.shape[i])
    const before = pads[axis]
    invariant(before !== undefined, 'Pad lengthens one axis')
    return [() => slice(graph, gradient, axis, before, before + (a.shape[axis] as number))]
  }),
  Gather: ruleOf(({ graph, node, a, b, gradient }) => [
    () => scatter(graph, gradient, b, attributeOf(node, 'axis'), a),
  ]),
  ReduceSum: ruleOf(({ graph, node, a, gradient }) => [
    () => spread(graph, gradient, numbersOf(node.inputs[1]), a),
  ]),
  ReduceMean: ruleOf(({ graph, node, a, output, gradient }) => {
    const axes = node.attributes['axes'] as readonly number[]
    return [() => spread(graph, divide(graph, gradient, countOf(graph, a, output, axes)), axes, a)]
  }),
  CumSum: ruleOf(({ graph, node, gradient }) => [
    () =>
      runningSum(graph, gradient, numbersOf(node.inputs[1])[0] as number, attributeOf(node, 'reverse') === 0),
  ]),
  /** Sizes do not change with the values. */
  Shape: () => [],
  Size: () => [],
  Cast: ruleOf(({ graph, a, gradient }) =>
    a.type === 'float32' || a.type === 'float64' ? [() => cast(graph, gradient, a.type)] : [],
  ),
}
