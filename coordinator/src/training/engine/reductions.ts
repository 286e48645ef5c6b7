/** Operators that make fewer numbers of many, and running sums. */
import { invariant } from '@imlma/protocol/result'
import type { GraphBuilder, Shape, Value } from '../graph.ts'
import { add, divide, multiply, squareRoot, subtract } from '../operators.ts'

interface ReductionOptions {
  /** All where left out. */
  readonly axes?: readonly number[]
  /** Whether a reduced axis stays with the size 1. */
  readonly keep?: boolean
}

type Reduction = (graph: GraphBuilder, a: Value, options?: ReductionOptions) => Value

const reducedShape = ({ shape }: Value, axes: readonly number[], keep: boolean): Shape =>
  keep ? shape.map((size, i) => (axes.includes(i) ? 1 : size)) : shape.filter((_, i) => !axes.includes(i))

const axesOf = ({ name, shape }: Value, axes: readonly number[] | undefined): readonly number[] => {
  const all = axes ?? shape.map((_, i) => i)
  invariant(
    all.every((axis) => axis >= 0 && axis < shape.length),
    `${name} has the axes ${all.join()}`,
  )
  return all
}

/** Since operator set 13 the axes of a sum are an input. */
export const sum: Reduction = (graph, a, { axes, keep = false } = {}) => {
  const over = axesOf(a, axes)
  const shape = reducedShape(a, over, keep)
  return graph.node(
    'ReduceSum',
    [a, graph.list('int64', over)],
    { type: a.type, shape },
    { keepdims: keep ? 1 : 0 },
  )
}

/** Until operator set 18 the axes of a mean are an attribute. */
export const mean: Reduction = (graph, a, { axes, keep = false } = {}) => {
  const over = axesOf(a, axes)
  const shape = reducedShape(a, over, keep)
  return graph.node('ReduceMean', [a], { type: a.type, shape }, { axes: over, keepdims: keep ? 1 : 0 })
}

/** Sums a value until it has the shape that was broadcast to its own. */
export const sumToShape = (graph: GraphBuilder, a: Value, shape: Shape): Value => {
  const missing = a.shape.length - shape.length
  const repeated = shape.flatMap((size, i) => (size === 1 && a.shape[i + missing] !== 1 ? [i + missing] : []))
  const kept = repeated.length === 0 ? a : sum(graph, a, { axes: repeated, keep: true })
  return missing === 0 ? kept : sum(graph, kept, { axes: [...Array(missing).keys()] })
}

/** Each entry is the sum of those up to it; `reverse`: of those from it on. */
export const runningSum = (graph: GraphBuilder, a: Value, axis: number, reverse = false): Value => {
  invariant(axis >= 0 && axis < a.shape.length, `${a.name} has an axis ${axis}`)
  const inputs = [a, graph.scalar('int64', axis)]
  return graph.node('CumSum', inputs, { type: a.type, shape: a.shape }, { reverse: reverse ? 1 : 0 })
}

/**
 * To mean 0 and deviation 1 along these axes: over the columns it is layer normalisation, over the rows batch
 * normalisation with the batch's own moments.
 */
export const standardise = (
  graph: GraphBuilder,
  a: Value,
  axes: readonly number[],
  epsilon = 1e-5,
): Value => {
  const centred = subtract(graph, a, mean(graph, a, { axes, keep: true }))
  const variance = mean(graph, multiply(graph, centred, centred), { axes, keep: true })
  return divide(graph, centred, squareRoot(graph, add(graph, variance, graph.scalar(a.type, epsilon))))
}
