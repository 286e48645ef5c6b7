/**
 * A graph as the bytes of an ONNX model. Only the messages and fields that are written here are described, with the
 * field numbers of the ONNX specification (IR version 8, "Open Neural Network Exchange Intermediate Representation").
 * Output is deterministic: the same graph gives the same bytes.
 */
import protobuf from 'protobufjs'
import {
  elementTypeNumbers,
  type Attribute,
  type ElementType,
  type Graph,
  type Initializer,
  type Node,
  type Value,
} from './graph.ts'

const schema = protobuf.Root.fromJSON({
  nested: {
    Model: {
      fields: {
        irVersion: { type: 'int64', id: 1 },
        producerName: { type: 'string', id: 2 },
        graph: { type: 'Graph', id: 7 },
        opsetImport: { rule: 'repeated', type: 'OperatorSet', id: 8 },
        metadata: { rule: 'repeated', type: 'Entry', id: 14 },
      },
    },
    OperatorSet: { fields: { domain: { type: 'string', id: 1 }, version: { type: 'int64', id: 2 } } },
    Entry: { fields: { key: { type: 'string', id: 1 }, value: { type: 'string', id: 2 } } },
    Graph: {
      fields: {
        node: { rule: 'repeated', type: 'Node', id: 1 },
        name: { type: 'string', id: 2 },
        initializer: { rule: 'repeated', type: 'Tensor', id: 5 },
        input: { rule: 'repeated', type: 'ValueInfo', id: 11 },
        output: { rule: 'repeated', type: 'ValueInfo', id: 12 },
        valueInfo: { rule: 'repeated', type: 'ValueInfo', id: 13 },
      },
    },
    Node: {
      fields: {
        input: { rule: 'repeated', type: 'string', id: 1 },
        output: { rule: 'repeated', type: 'string', id: 2 },
        name: { type: 'string', id: 3 },
        opType: { type: 'string', id: 4 },
        attribute: { rule: 'repeated', type: 'Attribute', id: 5 },
        domain: { type: 'string', id: 7 },
      },
    },
    Attribute: {
      fields: {
        name: { type: 'string', id: 1 },
        f: { type: 'float', id: 2 },
        i: { type: 'int64', id: 3 },
        s: { type: 'bytes', id: 4 },
        g: { type: 'Graph', id: 6 },
        floats: { rule: 'repeated', type: 'float', id: 7, options: { packed: false } },
        ints: { rule: 'repeated', type: 'int64', id: 8, options: { packed: false } },
        strings: { rule: 'repeated', type: 'bytes', id: 9 },
        type: { type: 'int32', id: 20 },
      },
    },
    Tensor: {
      fields: {
        dims: { rule: 'repeated', type: 'int64', id: 1, options: { packed: false } },
        dataType: { type: 'int32', id: 2 },
        name: { type: 'string', id: 8 },
        rawData: { type: 'bytes', id: 9 },
      },
    },
    ValueInfo: { fields: { name: { type: 'string', id: 1 }, type: { type: 'TypeOf', id: 2 } } },
    TypeOf: { fields: { tensorType: { type: 'TensorType', id: 1 } } },
    TensorType: { fields: { elemType: { type: 'int32', id: 1 }, shape: { type: 'TensorShape', id: 2 } } },
    TensorShape: { fields: { dim: { rule: 'repeated', type: 'Dimension', id: 1 } } },
    Dimension: { fields: { dimValue: { type: 'int64', id: 1 }, dimParam: { type: 'string', id: 2 } } },
  },
})

/** AttributeProto.AttributeType. */
const attributeTypes = { float: 1, int: 2, string: 3, graph: 5, floats: 6, ints: 7, strings: 8 } as const

/** What ONNX 1.12 and ONNX Runtime 1.12 (2022) know, for gateways that are updated rarely. */
const irVersion = 8
const operatorSet = 17

/** Versions of the other operator sets, imported where an operator of theirs is used. */
const otherOperatorSets: Readonly<Record<string, number>> = { 'ai.onnx.ml': 3 }

/** `metadata` is carried in the file for people; it changes no output. */
export const encodeModel = (graph: Graph, metadata: Readonly<Record<string, string>> = {}): Uint8Array => {
  const model = {
    irVersion,
    producerName: 'imlma',
    opsetImport: operatorSetsOf(graph),
    graph: toGraph(graph),
    metadata: Object.entries(metadata).map(([key, value]) => ({ key, value })),
  }
  const type = schema.lookupType('Model')
  return type.encode(type.fromObject(model)).finish()
}

const toGraph = ({ name, nodes, initializers, inputs, outputs }: Graph): object => ({
  name,
  node: nodes.map(toNode),
  initializer: initializers.map(toTensor),
  input: inputs.map(toValueInfo),
  output: outputs.map(toValueInfo),
  valueInfo: nodes
    .flatMap((node) => node.outputs)
    .filter((value) => !outputs.includes(value))
    .map(toValueInfo),
})

const toNode = ({ operator, inputs, outputs, attributes }: Node): object => ({
  input: inputs.map(({ name }) => name),
  output: outputs.map(({ name }) => name),
  name: outputs[0]?.name,
  opType: operator.slice(operator.lastIndexOf('.') + 1),
  domain: domainOf(operator),
  attribute: Object.entries(attributes).map(([name, value]) => ({ name, ...toAttribute(value) })),
})

/** Empty for ONNX's own operators. */
const domainOf = (operator: Node['operator']): string =>
  operator.slice(0, Math.max(0, operator.lastIndexOf('.')))

const operatorSetsOf = ({ nodes }: Graph): readonly object[] =>
  [...new Set(['', ...nodes.map(({ operator }) => domainOf(operator))])].map((domain) => ({
    domain,
    version: domain === '' ? operatorSet : otherOperatorSets[domain],
  }))

const utf8 = new TextEncoder()

const toAttribute = (value: Attribute): object => {
  if (typeof value === 'number') return { i: value, type: attributeTypes.int }
  if ('float' in value) return { f: value.float, type: attributeTypes.float }
  if ('floats' in value) return { floats: value.floats, type: attributeTypes.floats }
  if ('graph' in value) return { g: toGraph(value.graph), type: attributeTypes.graph }
  if ('string' in value) return { s: utf8.encode(value.string), type: attributeTypes.string }
  return 'strings' in value
    ? { strings: value.strings.map((text) => utf8.encode(text)), type: attributeTypes.strings }
    : { ints: value, type: attributeTypes.ints }
}

const toTensor = ({ name, type, shape, values }: Initializer): object => ({
  name,
  dataType: elementTypeNumbers[type],
  dims: shape,
  rawData: toRaw(type, values),
})

const toValueInfo = ({ name, type, shape }: Value): object => ({
  name,
  type: {
    tensorType: {
      elemType: elementTypeNumbers[type],
      shape: {
        dim: shape.map((size) => (typeof size === 'number' ? { dimValue: size } : { dimParam: size })),
      },
    },
  },
})

/** Bytes of one element. */
const widths: Readonly<Record<ElementType, number>> = { float32: 4, int32: 4, int64: 8, bool: 1, float64: 8 }

/** Little-endian on every machine, as ONNX wants it. */
const toRaw = (type: ElementType, values: ArrayLike<number>): Uint8Array => {
  const width = widths[type]
  const view = new DataView(new ArrayBuffer(values.length * width))
  for (let i = 0; i < values.length; i++) {
    const value = values[i] as number
    if (type === 'float32') view.setFloat32(i * width, value, true)
    else if (type === 'float64') view.setFloat64(i * width, value, true)
    else if (type === 'int32') view.setInt32(i * width, value, true)
    else if (type === 'int64') view.setBigInt64(i * width, BigInt(value), true)
    else view.setUint8(i, value)
  }
  return new Uint8Array(view.buffer)
}
