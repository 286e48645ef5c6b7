/**
 * What an ONNX file from elsewhere is made of, as far as it decides whether it may be loaded at all: operators and
 * their domains, how deep graphs lie in graphs, and whether weights are in the file or somewhere else on the disk.
 * Weights are skipped, not read: a file of hundreds of megabytes costs no more than its nodes. Field numbers are those
 * of the ONNX specification ("Open Neural Network Exchange Intermediate Representation").
 */
import { accept, refuse, type Result } from '@imlma/protocol/result'
import protobuf from 'protobufjs'

export interface ModelFile {
  /** `domain.Operator` with how often it occurs, in all graphs; ONNX's own have no domain. */
  readonly operators: ReadonlyMap<string, number>
  readonly nodes: number
  readonly initializers: number
  /** 1 where no graph lies in another. */
  readonly depth: number
  /** Functions that the file defines itself. */
  readonly functions: number
  /** Names of the tensors whose values lie outside the file. */
  readonly external: readonly string[]
}

// A part that may be there once is read as often as it is there: the runtime's own reader puts the pieces together, and
// what it sees must be what is looked at here.
const schema = protobuf.Root.fromJSON({
  nested: {
    Model: {
      fields: {
        irVersion: { type: 'int64', id: 1 },
        graph: { rule: 'repeated', type: 'Graph', id: 7 },
        functions: { rule: 'repeated', type: 'Nothing', id: 25 },
      },
    },
    Nothing: { fields: {} },
    Graph: {
      fields: {
        node: { rule: 'repeated', type: 'Node', id: 1 },
        initializer: { rule: 'repeated', type: 'Tensor', id: 5 },
        sparseInitializer: { rule: 'repeated', type: 'SparseTensor', id: 15 },
      },
    },
    Node: {
      fields: {
        opType: { type: 'string', id: 4 },
        attribute: { rule: 'repeated', type: 'Attribute', id: 5 },
        domain: { type: 'string', id: 7 },
      },
    },
    Attribute: {
      fields: {
        t: { rule: 'repeated', type: 'Tensor', id: 5 },
        g: { rule: 'repeated', type: 'Graph', id: 6 },
        tensors: { rule: 'repeated', type: 'Tensor', id: 10 },
        graphs: { rule: 'repeated', type: 'Graph', id: 11 },
        sparseTensor: { rule: 'repeated', type: 'SparseTensor', id: 22 },
        sparseTensors: { rule: 'repeated', type: 'SparseTensor', id: 23 },
      },
    },
    Tensor: {
      fields: {
        name: { type: 'string', id: 8 },
        externalData: { rule: 'repeated', type: 'Nothing', id: 13 },
        dataLocation: { type: 'int32', id: 14 },
      },
    },
    SparseTensor: {
      fields: {
        values: { rule: 'repeated', type: 'Tensor', id: 1 },
        indices: { rule: 'repeated', type: 'Tensor', id: 2 },
      },
    },
  },
})

interface TensorMessage {
  readonly name?: string
  readonly externalData: readonly unknown[]
  readonly dataLocation?: number
}
interface SparseTensorMessage {
  readonly values: readonly TensorMessage[]
  readonly indices: readonly TensorMessage[]
}
interface AttributeMessage {
  readonly t: readonly TensorMessage[]
  readonly g: readonly GraphMessage[]
  readonly tensors: readonly TensorMessage[]
  readonly graphs: readonly GraphMessage[]
  readonly sparseTensor: readonly SparseTensorMessage[]
  readonly sparseTensors: readonly SparseTensorMessage[]
}
interface NodeMessage {
  readonly opType?: string
  readonly domain?: string
  readonly attribute: readonly AttributeMessage[]
}
interface GraphMessage {
  readonly node: readonly NodeMessage[]
  readonly initializer: readonly TensorMessage[]
  readonly sparseInitializer: readonly SparseTensorMessage[]
}
interface ModelMessage {
  readonly irVersion?: unknown
  readonly graph: readonly GraphMessage[]
  readonly functions: readonly unknown[]
}

/** Nothing of the content is trusted; a graph nested too deep for the reader is no model either. */
export const parseModelFile = (bytes: Uint8Array): Result<ModelFile, 'NOT_ONNX'> => {
  let model: ModelMessage
  try {
    model = schema.lookupType('Model').decode(bytes) as unknown as ModelMessage
  } catch (cause) {
    return notOnnx(`its bytes are no ONNX message (${(cause as Error).message})`)
  }
  // Almost any bytes are some message: one with a version and with operators is meant to be a model.
  if (!(Number(model.irVersion) > 0)) return notOnnx('it names no version of the ONNX format')
  if (!model.graph.some(({ node }) => node.length > 0)) return notOnnx('it holds no graph')
  return accept({ ...summarise(model.graph), functions: model.functions.length })
}

const notOnnx = (why: string) =>
  refuse('NOT_ONNX', `the file is no ONNX model: ${why}`, 'export the model to ONNX and send that file')

const summarise = (roots: readonly GraphMessage[]): Omit<ModelFile, 'functions'> => {
  const operators = new Map<string, number>()
  const external: string[] = []
  let [nodes, initializers, depth] = [0, 0, 0]
  const lookAt = ({ name = '', externalData, dataLocation = 0 }: TensorMessage): void => {
    if (externalData.length > 0 || dataLocation !== 0) external.push(name)
  }
  // A list of what is still to be looked at and no recursion: how deep it goes is the file's choice.
  const waiting = roots.map((graph) => ({ graph, level: 1 }))
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const { node, initializer, sparseInitializer } = next.graph
    const level = next.level + 1
    depth = Math.max(depth, next.level)
    initializers += initializer.length + sparseInitializer.length
    const attributes = node.flatMap(({ attribute }) => attribute)
    const sparse = attributes.flatMap(({ sparseTensor, sparseTensors }) => [
      ...sparseTensor,
      ...sparseTensors,
    ])
    const tensors = attributes.flatMap(({ t, tensors: several }) => [...t, ...several])
    for (const { values, indices } of [...sparseInitializer, ...sparse]) tensors.push(...values, ...indices)
    initializer.forEach(lookAt)
    tensors.forEach(lookAt)
    nodes += node.length
    for (const { opType = '', domain = '' } of node) {
      const name = domain === '' || domain === 'ai.onnx' ? opType : `${domain}.${opType}`
      operators.set(name, (operators.get(name) ?? 0) + 1)
    }
    for (const { g, graphs } of attributes)
      for (const graph of [...g, ...graphs]) waiting.push({ graph, level })
  }
  return { operators, nodes, initializers, depth, external }
}
