/**
 * A small builder for computation graphs in ONNX's terms: inputs, initializers, nodes, outputs, every value with its
 * type and shape, checked when the graph is built and not when it runs. What an operator does to shapes is in
 * `operators.ts`; the bytes are made in `model.protobuf.ts`.
 */
import { invariant } from '@imlma/protocol/result'

export type ElementType = 'float32' | 'float64' | 'int64'

/** A size, or the name of one that is known when the graph runs (the batch). */
export type Dimension = number | string
export type Shape = readonly Dimension[]

export interface Value {
  readonly name: string
  readonly type: ElementType
  readonly shape: Shape
}

export interface Initializer extends Value {
  readonly values: ArrayLike<number>
}

/** A bare number is an integer, a bare list one of integers. */
export type Attribute =
  | number
  | readonly number[]
  | { readonly float: number }
  | { readonly floats: readonly number[] }
  | { readonly string: string }
  | { readonly strings: readonly string[] }

export interface Node {
  /** With its domain before the last dot where it is not one of ONNX's own: `ai.onnx.ml.TreeEnsembleRegressor`. */
  readonly operator: string
  readonly inputs: readonly Value[]
  readonly output: Value
  readonly attributes: Readonly<Record<string, Attribute>>
}

export interface Graph {
  readonly name: string
  readonly inputs: readonly Value[]
  readonly initializers: readonly Initializer[]
  readonly nodes: readonly Node[]
  readonly outputs: readonly Value[]
}

export interface GraphBuilder {
  input(name: string, type: ElementType, shape: Shape): Value
  /** Values row-major; their number must be the shape's size. */
  constant(name: string, type: ElementType, shape: readonly number[], values: ArrayLike<number>): Value
  /** A node with one output; the caller says its type and shape. Nodes must be added in the order they run. */
  node(
    operator: string,
    inputs: readonly Value[],
    output: { readonly name?: string; readonly type: ElementType; readonly shape: Shape },
    attributes?: Node['attributes'],
  ): Value
  build(outputs: readonly Value[]): Graph
}

export const createGraphBuilder = (name: string): GraphBuilder => {
  const known = new Map<string, Value>()
  const inputs: Value[] = []
  const initializers: Initializer[] = []
  const nodes: Node[] = []
  const define = <Defined extends Value>(value: Defined): Defined => {
    invariant(!known.has(value.name), `the graph has one value named ${value.name}`)
    known.set(value.name, value)
    return value
  }
  return {
    input: (inputName, type, shape) => {
      const value = define({ name: inputName, type, shape })
      inputs.push(value)
      return value
    },
    constant: (constantName, type, shape, values) => {
      const size = shape.reduce((product, dimension) => product * dimension, 1)
      invariant(values.length === size, `${constantName} has as many values as its shape says`)
      const value = define({ name: constantName, type, shape, values })
      initializers.push(value)
      return value
    },
    node: (operator, nodeInputs, output, attributes = {}) => {
      for (const value of nodeInputs)
        invariant(known.get(value.name) === value, `${value.name} is of this graph`)
      const value = define({ name: `${operator.toLowerCase()}_${nodes.length}`, ...output })
      nodes.push({ operator, inputs: nodeInputs, output: value, attributes })
      return value
    },
    build: (outputs) => {
      for (const value of outputs)
        invariant(known.get(value.name) === value, `${value.name} is of this graph`)
      return { name, inputs, initializers, nodes, outputs }
    },
  }
}
