/**
 * A small builder for computation graphs in ONNX's terms: inputs, initializers, nodes, outputs, every value with its
 * type and shape, checked when the graph is built and not when it runs. What an operator does to shapes is in
 * `operators.ts`; the bytes are made in `model.protobuf.ts`.
 */
import { invariant } from '@imlma/protocol/result'

export type ElementType = 'float32' | 'float64' | 'int32' | 'int64' | 'bool'

/** ONNX's number of each: `TensorProto.DataType`. */
export const elementTypeNumbers: Readonly<Record<ElementType, number>> = {
  float32: 1,
  int32: 6,
  int64: 7,
  bool: 9,
  float64: 11,
}

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
  /** What a `Loop` runs. */
  | { readonly graph: Graph }

export interface Node {
  /** With its domain before the last dot where it is not one of ONNX's own: `ai.onnx.ml.TreeEnsembleRegressor`. */
  readonly operator: string
  readonly inputs: readonly Value[]
  readonly outputs: readonly Value[]
  readonly attributes: Readonly<Record<string, Attribute>>
}

export interface Graph {
  readonly name: string
  readonly inputs: readonly Value[]
  readonly initializers: readonly Initializer[]
  readonly nodes: readonly Node[]
  readonly outputs: readonly Value[]
}

type Output = { readonly name?: string; readonly type: ElementType; readonly shape: Shape }

export interface GraphBuilder {
  /** What was added so far, in the order it runs. */
  readonly nodes: readonly Node[]
  input(name: string, type: ElementType, shape: Shape): Value
  /** Values row-major; their number must be the shape's size. */
  constant(name: string, type: ElementType, shape: readonly number[], values: ArrayLike<number>): Value
  /** A constant without a name of its own; equal ones are one. */
  list(type: ElementType, values: readonly number[]): Value
  scalar(type: ElementType, value: number): Value
  /** A node with one output; the caller says its type and shape. Nodes must be added in the order they run. */
  node(operator: string, inputs: readonly Value[], output: Output, attributes?: Node['attributes']): Value
  /** The same for operators with several outputs. */
  nodeWith(
    operator: string,
    inputs: readonly Value[],
    outputs: readonly Output[],
    attributes?: Node['attributes'],
  ): readonly Value[]
  /** A graph inside this one, as a `Loop` runs it: it may use this one's values. */
  nested(name: string): GraphBuilder
  build(outputs: readonly Value[]): Graph
}

/** Stands for an input of a node that is left out. */
export const absent: Value = { name: '', type: 'bool', shape: [] }

export const createGraphBuilder = (name: string): GraphBuilder => createBuilder(name, '', () => undefined)

const createBuilder = (
  name: string,
  prefix: string,
  outside: (name: string) => Value | undefined,
): GraphBuilder => {
  const known = new Map<string, Value>()
  const inputs: Value[] = []
  const initializers: Initializer[] = []
  const nodes: Node[] = []
  const find = (wanted: string): Value | undefined => known.get(wanted) ?? outside(wanted)
  const define = <Defined extends Value>(value: Defined): Defined => {
    invariant(find(value.name) === undefined, `the graph has one value named ${value.name}`)
    known.set(value.name, value)
    return value
  }
  const check = (value: Value): void =>
    invariant(value === absent || find(value.name) === value, `${value.name} is of this graph`)
  const constant = (
    constantName: string,
    type: ElementType,
    shape: readonly number[],
    values: ArrayLike<number>,
  ): Value => {
    const size = shape.reduce((product, dimension) => product * dimension, 1)
    invariant(values.length === size, `${constantName} has as many values as its shape says`)
    const value = define({ name: constantName, type, shape, values })
    initializers.push(value)
    return value
  }
  const shared = (type: ElementType, shape: readonly number[], values: readonly number[]): Value => {
    const sharedName = `${prefix}${type}${shape.length === 0 ? '' : 's'}_${values.join('_')}`
    return find(sharedName) ?? constant(sharedName, type, shape, values)
  }
  const nodeWith: GraphBuilder['nodeWith'] = (operator, nodeInputs, wanted, attributes = {}) => {
    nodeInputs.forEach(check)
    const stem = `${prefix}${operator.toLowerCase()}_${nodes.length}`
    const outputs = wanted.map((output, i) => define({ name: i === 0 ? stem : `${stem}_${i}`, ...output }))
    nodes.push({ operator, inputs: nodeInputs, outputs, attributes })
    return outputs
  }
  return {
    nodes,
    input: (inputName, type, shape) => {
      const value = define({ name: inputName, type, shape })
      inputs.push(value)
      return value
    },
    constant,
    list: (type, values) => shared(type, [values.length], values),
    scalar: (type, value) => shared(type, [], [value]),
    node: (operator, nodeInputs, output, attributes) =>
      nodeWith(operator, nodeInputs, [output], attributes)[0] as Value,
    nodeWith,
    nested: (nestedName) => createBuilder(nestedName, `${prefix}${nestedName}/`, find),
    build: (outputs) => {
      outputs.forEach(check)
      return { name, inputs, initializers, nodes, outputs }
    },
  }
}
