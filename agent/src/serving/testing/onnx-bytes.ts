/** The parts of an ONNX file, as far as tests need them: protobuf by hand, with the field numbers of onnx.proto3. */

const varint = (value: number): number[] => {
  const bytes: number[] = []
  let rest = value
  while (rest > 0x7f) {
    bytes.push((rest & 0x7f) | 0x80)
    rest >>>= 7
  }
  return [...bytes, rest]
}

const number = (field: number, value: number): number[] => [...varint(field << 3), ...varint(value)]

export const message = (field: number, bytes: readonly number[]): number[] => [
  ...varint((field << 3) | 2),
  ...varint(bytes.length),
  ...bytes,
]

export const text = (field: number, value: string): number[] =>
  message(field, [...new TextEncoder().encode(value)])

export const node = (
  operator: string,
  inputs: readonly string[],
  output: string,
  attributes: readonly number[] = [],
): number[] => [
  ...inputs.flatMap((name) => text(1, name)),
  ...text(2, output),
  ...text(4, operator),
  ...attributes,
]

/** An attribute of a node, as its field: a whole number, or a graph. */
export const integer = (name: string, value: number): number[] =>
  message(5, [...text(1, name), ...number(3, value), ...number(20, 2)])
export const subgraph = (name: string, graph: readonly number[]): number[] =>
  message(5, [...text(1, name), ...message(6, graph), ...number(20, 5)])

/** A value of any shape, or a scalar. */
export const valueOf = (name: string, type: number, scalar = false): number[] => [
  ...text(1, name),
  ...message(2, message(1, [...number(1, type), ...(scalar ? message(2, []) : [])])),
]

/** The graph as the bytes of an ONNX file (opset 17). */
export const encodeModel = (graph: readonly number[]): Uint8Array<ArrayBuffer> =>
  Uint8Array.from([...number(1, 8), ...message(7, graph), ...message(8, number(2, 17))])

export const float32 = 1

export const tensor = (name: string, shape: readonly number[], values: Float32Array): number[] => [
  ...shape.flatMap((size) => number(1, size)),
  ...number(2, float32),
  ...text(8, name),
  ...message(9, [...new Uint8Array(values.buffer, values.byteOffset, values.byteLength)]),
]

export const int64 = 7
export const bool = 9

export const axes = (values: readonly number[]): number[] => [
  ...number(1, values.length),
  ...number(2, int64),
  ...text(8, 'axes'),
  ...message(9, [...new Uint8Array(BigInt64Array.from(values, BigInt).buffer)]),
]

/** A value of shape [batch, …sizes]. */
export const batchOf = (name: string, sizes: readonly number[]): number[] => {
  const shape = [...message(1, text(2, 'batch')), ...sizes.flatMap((size) => message(1, number(1, size)))]
  const type = message(1, [...number(1, float32), ...message(2, shape)])
  return [...text(1, name), ...message(2, type)]
}
