/**
 * The smallest ONNX files that tests and benchmarks need: dense layers with ReLU between them, `features` in and
 * `forecast` out. Written byte by byte, so that no trainer is needed.
 */

import { axes, batchOf, encodeModel, message, node, tensor, text } from './onnx-bytes.ts'

/** One dense layer: `weights` is inputs × outputs, row-major. */
export interface Dense {
  readonly weights: Float32Array
  readonly bias: Float32Array
}

export interface TinyModel {
  /** First to last; all but the last end in ReLU. */
  readonly layers: readonly Dense[]
  readonly inputName?: string
  readonly outputName?: string
  /** A second output `quantiles`: the forecast plus each of these. */
  readonly quantileOffsets?: readonly number[]
}

/** The model as the bytes of an ONNX file (opset 17). */
export const encodeTinyModel = ({
  layers,
  inputName = 'features',
  outputName = 'forecast',
  quantileOffsets = [],
}: TinyModel): Uint8Array<ArrayBuffer> => {
  const first = layers[0] as Dense
  const last = layers.at(-1) as Dense
  const nodes: number[][] = []
  const initializers: number[][] = []
  let value = inputName
  layers.forEach(({ weights, bias }, index) => {
    const end = index === layers.length - 1
    const next = end ? outputName : `hidden${index}`
    const sum = end ? outputName : `sum${index}`
    nodes.push(node('MatMul', [value, `weights${index}`], `product${index}`))
    nodes.push(node('Add', [`product${index}`, `bias${index}`], sum))
    if (!end) nodes.push(node('Relu', [sum], next))
    initializers.push(tensor(`weights${index}`, [weights.length / bias.length, bias.length], weights))
    initializers.push(tensor(`bias${index}`, [bias.length], bias))
    value = next
  })
  const outputs = [batchOf(outputName, [last.bias.length])]
  if (quantileOffsets.length > 0) {
    nodes.push(node('Unsqueeze', [outputName, 'axes'], 'between'))
    nodes.push(node('Add', ['between', 'offsets'], 'quantiles'))
    initializers.push(axes([1]))
    initializers.push(tensor('offsets', [quantileOffsets.length, 1], Float32Array.from(quantileOffsets)))
    outputs.push(batchOf('quantiles', [quantileOffsets.length, last.bias.length]))
  }
  const graph = [
    ...nodes.flatMap((bytes) => message(1, bytes)),
    ...text(2, 'tiny'),
    ...initializers.flatMap((bytes) => message(5, bytes)),
    ...message(11, batchOf(inputName, [first.weights.length / first.bias.length])),
    ...outputs.flatMap((bytes) => message(12, bytes)),
  ]
  return encodeModel(graph)
}

/** Reproducible layers of these widths: `[24, 64, 64, 1]` is the MLP of numbers.md; `[96, 96]` a ridge's size. */
export const layersOf = (widths: readonly number[], scale = 0.1): readonly Dense[] =>
  widths.slice(1).map((outputs, index) => {
    const inputs = widths[index] as number
    return {
      weights: Float32Array.from({ length: inputs * outputs }, (_, i) => Math.sin(i + 1 + index) * scale),
      bias: Float32Array.from({ length: outputs }, (_, i) => Math.cos(i + 1 + index) * scale),
    }
  })
