/** Operators of arithmetic and of linear algebra with their shape rules: each adds one node and returns its value. */
import { invariant } from '@imlma/protocol/result'
import type { Dimension, GraphBuilder, Shape, Value } from './graph.ts'

type Unary = (graph: GraphBuilder, a: Value) => Value
type Binary = (graph: GraphBuilder, a: Value, b: Value, name?: string) => Value

const elementwise =
  (operator: string): Binary =>
  (graph, a, b, name) => {
    invariant(a.type === b.type, `${operator} of values of one type`)
    return graph.node(operator, [a, b], named(name, a, broadcastShape(a.shape, b.shape)))
  }

const unary =
  (operator: string): Unary =>
  (graph, a) =>
    graph.node(operator, [a], { type: a.type, shape: a.shape })

/** Elementwise, with broadcasting from the last dimension backwards. */
export const add = elementwise('Add')
export const subtract = elementwise('Sub')
export const multiply = elementwise('Mul')
export const divide = elementwise('Div')
export const maximum = elementwise('Max')
export const minimum = elementwise('Min')

export const absolute = unary('Abs')
export const negate = unary('Neg')
export const exponential = unary('Exp')
export const logarithm = unary('Log')
export const squareRoot = unary('Sqrt')
export const relu = unary('Relu')
export const tanh = unary('Tanh')
export const sigmoid = unary('Sigmoid')
/** ln(1 + eˣ). */
export const softplus = unary('Softplus')

/** True where a > b. */
export const greater = (graph: GraphBuilder, a: Value, b: Value): Value => {
  invariant(a.type === b.type, 'Greater of values of one type')
  return graph.node('Greater', [a, b], { type: 'bool', shape: broadcastShape(a.shape, b.shape) })
}

/** a where `condition` holds, b elsewhere. */
export const select = (graph: GraphBuilder, condition: Value, a: Value, b: Value): Value => {
  invariant(condition.type === 'bool' && a.type === b.type, 'Where chooses between values of one type')
  const shape = broadcastShape(condition.shape, broadcastShape(a.shape, b.shape))
  return graph.node('Where', [condition, a, b], { type: a.type, shape })
}

/** Columns of a matrix by constant index: [rows, n] → [rows, indices]. */
export const gatherColumns = (graph: GraphBuilder, a: Value, indices: Value): Value => {
  invariant(
    a.shape.length === 2 && indices.shape.length === 1 && indices.type === 'int64',
    'columns of a matrix',
  )
  return graph.node('Gather', [a, indices], { type: a.type, shape: [at(a, 0), at(indices, 0)] }, { axis: 1 })
}

export interface GemmOptions {
  readonly name?: string
  /** a is [k, m]. */
  readonly transposeA?: boolean
  /** b is [n, k]. */
  readonly transposeB?: boolean
}

/** a·b + c for matrices [m, k] and [k, n] and a row [n]. */
export const gemm = (
  graph: GraphBuilder,
  [a, b, c]: readonly [a: Value, b: Value, c?: Value],
  { name, transposeA = false, transposeB = false }: GemmOptions = {},
): Value => {
  invariant(a.shape.length === 2 && b.shape.length === 2, 'Gemm of matrices')
  const [rows, inner] = transposeA ? [at(a, 1), at(a, 0)] : [at(a, 0), at(a, 1)]
  const [innerB, columns] = transposeB ? [at(b, 1), at(b, 0)] : [at(b, 0), at(b, 1)]
  invariant(inner === innerB, 'the inner sizes of a matrix product agree')
  invariant(c === undefined || c.shape.at(-1) === columns, 'the bias has a value per column')
  const inputs = c === undefined ? [a, b] : [a, b, c]
  return graph.node('Gemm', inputs, named(name, a, [rows, columns]), {
    transA: transposeA ? 1 : 0,
    transB: transposeB ? 1 : 0,
  })
}

/** a·b over the last two dimensions; those before broadcast. */
export const matrixProduct = (graph: GraphBuilder, a: Value, b: Value): Value => {
  invariant(a.shape.length >= 2 && b.shape.length >= 2 && a.type === b.type, 'MatMul of matrices of one type')
  invariant(a.shape.at(-1) === b.shape.at(-2), 'the inner sizes of a matrix product agree')
  const stack = broadcastShape(a.shape.slice(0, -2), b.shape.slice(0, -2))
  const shape = [...stack, a.shape.at(-2) as Dimension, b.shape.at(-1) as Dimension]
  return graph.node('MatMul', [a, b], { type: a.type, shape })
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
