/** Operators with their shape rules: each adds one node to the builder and returns its value. */
import { invariant } from '@imlma/protocol/result'
import type { Dimension, GraphBuilder, Shape, Value } from './graph.ts'

type Binary = (graph: GraphBuilder, a: Value, b: Value, name?: string) => Value

const elementwise =
  (operator: string): Binary =>
  (graph, a, b, name) => {
    invariant(a.type === b.type, `${operator} of values of one type`)
    return graph.node(operator, [a, b], named(name, a, broadcastShape(a.shape, b.shape)))
  }

/** Elementwise, with broadcasting from the last dimension backwards. */
export const add = elementwise('Add')
export const subtract = elementwise('Sub')
export const multiply = elementwise('Mul')
export const divide = elementwise('Div')
export const maximum = elementwise('Max')

export const absolute = (graph: GraphBuilder, a: Value): Value =>
  graph.node('Abs', [a], { type: a.type, shape: a.shape })

/** Columns of a matrix by constant index: [rows, n] → [rows, indices]. */
export const gatherColumns = (graph: GraphBuilder, a: Value, indices: Value): Value => {
  invariant(
    a.shape.length === 2 && indices.shape.length === 1 && indices.type === 'int64',
    'columns of a matrix',
  )
  return graph.node('Gather', [a, indices], { type: a.type, shape: [at(a, 0), at(indices, 0)] }, { axis: 1 })
}

/** a·b + c for matrices [m, k] and [k, n] and a row [n]; `transposeA` for a of [k, m]. */
export const gemm = (
  graph: GraphBuilder,
  [a, b, c]: readonly [a: Value, b: Value, c?: Value],
  { name, transposeA = false }: { readonly name?: string; readonly transposeA?: boolean } = {},
): Value => {
  const [rows, inner] = transposeA ? [at(a, 1), at(a, 0)] : [at(a, 0), at(a, 1)]
  const columns = at(b, 1)
  invariant(inner === at(b, 0), 'the inner sizes of a matrix product agree')
  invariant(c === undefined || c.shape.at(-1) === columns, 'the bias has a value per column')
  const inputs = c === undefined ? [a, b] : [a, b, c]
  return graph.node('Gemm', inputs, named(name, a, [rows, columns]), { transA: transposeA ? 1 : 0 })
}

/** The shape of an elementwise result: sizes agree, or one of them is 1. */
export const broadcastShape = (a: Shape, b: Shape): Shape => {
  const rank = Math.max(a.length, b.length)
  return Array.from({ length: rank }, (_, i): Dimension => {
    const left = a[i - rank + a.length] ?? 1
    const right = b[i - rank + b.length] ?? 1
    invariant(left === right || left === 1 || right === 1, `shapes [${a.join()}] and [${b.join()}] broadcast`)
    return left === 1 ? right : left
  })
}

const at = (value: Value, axis: number): Dimension => {
  const dimension = value.shape[axis]
  invariant(dimension !== undefined, `${value.name} has an axis ${axis}`)
  return dimension
}

/** Without a name the builder finds one. */
const named = (name: string | undefined, { type }: Value, shape: Shape) =>
  name === undefined ? { type, shape } : { name, type, shape }
