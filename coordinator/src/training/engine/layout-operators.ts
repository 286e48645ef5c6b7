/** Operators that move numbers without changing them: their shape rules, one node each unless said otherwise. */
import { invariant } from '@imlma/protocol/result'
import {
  elementTypeNumbers,
  type Dimension,
  type ElementType,
  type GraphBuilder,
  type Shape,
  type Value,
} from '../graph.ts'

/** At most one size may be a name; it takes what is left. */
export const reshape = (graph: GraphBuilder, a: Value, shape: Shape): Value => {
  const free = shape.filter((size) => typeof size === 'string').length
  invariant(free <= 1, 'one size of a reshape may be left open')
  const [before, after] = [knownSize(a.shape), knownSize(shape)]
  const open = a.shape.filter((size) => typeof size === 'string')
  invariant(
    open.length === 0
      ? free === 0 && before === after
      : open.length === 1 && shape.includes(open[0] as Dimension) && before === after,
    `[${a.shape.join()}] has as many values as [${shape.join()}]`,
  )
  const sizes = graph.list(
    'int64',
    shape.map((size) => (typeof size === 'string' ? -1 : size)),
  )
  return graph.node('Reshape', [a, sizes], { type: a.type, shape })
}

export const transpose = (graph: GraphBuilder, a: Value, order: readonly number[]): Value => {
  invariant(
    order.length === a.shape.length && order.toSorted((x, y) => x - y).every((axis, i) => axis === i),
    'a transposition names every axis once',
  )
  const shape = order.map((axis) => a.shape[axis] as Dimension)
  return graph.node('Transpose', [a], { type: a.type, shape }, { perm: order })
}

/** Swaps the last two axes. */
export const transposeMatrix = (graph: GraphBuilder, a: Value): Value => {
  const rank = a.shape.length
  return transpose(graph, a, [...Array(rank - 2).keys(), rank - 1, rank - 2])
}

export const concat = (graph: GraphBuilder, parts: readonly Value[], axis: number): Value => {
  const [first, ...others] = parts
  invariant(first !== undefined && axis < first.shape.length, 'Concat of at least one value along its axis')
  for (const { type, shape } of others) {
    invariant(
      type === first.type &&
        shape.length === first.shape.length &&
        shape.every((size, i) => i === axis || size === first.shape[i]),
      'Concat of values that differ along its axis only',
    )
  }
  const sizes = parts.map(({ shape }) => shape[axis])
  invariant(
    sizes.every((size) => typeof size === 'number'),
    'sizes along the axis of a Concat are known',
  )
  const shape = first.shape.with(
    axis,
    sizes.reduce((sum, size) => sum + size, 0),
  )
  return graph.node('Concat', parts, { type: first.type, shape }, { axis })
}

/** The values start … end − 1 along one axis. */
export const slice = (graph: GraphBuilder, a: Value, axis: number, start: number, end: number): Value => {
  const size = a.shape[axis]
  invariant(
    typeof size === 'number' && 0 <= start && start < end && end <= size,
    `${a.name} has ${start} … ${end} along axis ${axis}`,
  )
  const lists = [[start], [end], [axis]].map((values) => graph.list('int64', values))
  return graph.node('Slice', [a, ...lists], { type: a.type, shape: a.shape.with(axis, end - start) })
}

/** Cuts along one axis into parts of these sizes. */
export const split = (
  graph: GraphBuilder,
  a: Value,
  axis: number,
  sizes: readonly number[],
): readonly Value[] => {
  const total = sizes.reduce((sum, size) => sum + size, 0)
  invariant(a.shape[axis] === total, `the parts of ${a.name} are all of it`)
  if (sizes.length === 1) return [a]
  const outputs = sizes.map((size) => ({ type: a.type, shape: a.shape.with(axis, size) }))
  return graph.nodeWith('Split', [a, graph.list('int64', sizes)], outputs, { axis })
}

/** Entries along one axis by index: a scalar index takes the axis away, a list keeps it with the list's length. */
export const gather = (graph: GraphBuilder, a: Value, indices: Value, axis: number): Value => {
  invariant(
    (indices.type === 'int64' || indices.type === 'int32') && indices.shape.length <= 1,
    'indices are whole numbers, one or a list',
  )
  invariant(axis >= 0 && axis < a.shape.length, `${a.name} has an axis ${axis}`)
  const shape = [...a.shape.slice(0, axis), ...indices.shape, ...a.shape.slice(axis + 1)]
  return graph.node('Gather', [a, indices], { type: a.type, shape }, { axis })
}

/** Repeats along axes of size 1 and new leading ones until it has the shape of `like`. */
export const expandLike = (graph: GraphBuilder, a: Value, like: Value): Value =>
  graph.node('Expand', [a, shapeOf(graph, like)], { type: a.type, shape: like.shape })

/** New axes of size 1 at these places of the result. */
export const unsqueeze = (graph: GraphBuilder, a: Value, axes: readonly number[]): Value => {
  const rest = [...a.shape]
  const shape = Array.from({ length: a.shape.length + axes.length }, (_, i) =>
    axes.includes(i) ? 1 : (rest.shift() as Dimension),
  )
  return graph.node('Unsqueeze', [a, graph.list('int64', axes)], { type: a.type, shape })
}

/** Zeros before and after along one axis. */
export const padZeros = (
  graph: GraphBuilder,
  a: Value,
  axis: number,
  before: number,
  after: number,
): Value => {
  const size = a.shape[axis]
  invariant(typeof size === 'number', 'the size of a padded axis is known')
  const rank = a.shape.length
  const pads = Array.from({ length: 2 * rank }, (_, i) =>
    i === axis ? before : i === axis + rank ? after : 0,
  )
  const shape = a.shape.with(axis, size + before + after)
  return graph.node('Pad', [a, graph.list('int64', pads)], { type: a.type, shape })
}

/** The sizes as int64 [rank]: a constant where all are known. */
export const shapeOf = (graph: GraphBuilder, a: Value): Value =>
  a.shape.every((size) => typeof size === 'number')
    ? graph.list('int64', a.shape)
    : graph.node('Shape', [a], { type: 'int64', shape: [a.shape.length] })

/** The same numbers in another type; towards whole numbers they lose their fraction. */
export const cast = (graph: GraphBuilder, a: Value, type: ElementType): Value =>
  graph.node('Cast', [a], { type, shape: a.shape }, { to: elementTypeNumbers[type] })

/** How many values the known sizes make. */
const knownSize = (shape: Shape): number =>
  shape.reduce<number>((product, size) => (typeof size === 'number' ? product * size : product), 1)
