/**
 * The documents of the Open Inference Protocol, version 2 (REST, "Inference"), as far as float32 tensors of rows go:
 * what a request means for a model, and how its answer looks.
 */

import { z } from 'zod'
import type { Contract } from '@imlma/protocol/manifest'
import { accept, refuse, type Result } from '@imlma/protocol/result'
import type { LoadedModel, Maker } from '../serving/serving.ts'
import { parseBinaryRows } from './binary.ts'
import type { OutputTensor } from './outputs.ts'

const size = z.number().int().min(1).max(1_000_000)

/**
 * Numbers, flat or nested row by row, or as bytes behind the document. `unknown[]` spares a schema's walk over every
 * number; `flatten` looks at each.
 */
const tensorSchema = z.object({
  name: z.string().max(64),
  shape: z.array(size).min(1).max(4),
  datatype: z.string().max(16),
  data: z.array(z.unknown()).optional(),
  parameters: z.object({ binary_data_size: z.number().int().min(0).optional() }).optional(),
})

export const inferRequestSchema = z.object({
  id: z.string().max(128).optional(),
  inputs: z.array(tensorSchema).length(1),
  /** `binary_data_output`: every output as bytes, where it does not say otherwise itself. */
  parameters: z.object({ binary_data_output: z.boolean().optional() }).optional(),
  /** What is wanted; left out: all there is. */
  outputs: z
    .array(
      z.object({
        name: z.string().max(64),
        parameters: z.object({ binary_data: z.boolean().optional() }).optional(),
      }),
    )
    .min(1)
    .max(2)
    .optional(),
})
export type InferRequest = z.infer<typeof inferRequestSchema>

export interface Rows {
  readonly features: Float32Array
  readonly rows: number
}

/** The rows that a request brings for a model of this contract; `binary`: what lies behind its document. */
export const parseRows = (
  { inputs }: InferRequest,
  contract: Contract,
  binary: Uint8Array,
): Result<Rows, 'MALFORMED'> => {
  const [tensor] = inputs
  const [input] = contract.inputs
  const columns = input?.shape.at(-1)
  if (tensor === undefined || input === undefined) return refuse('MALFORMED', 'one input is needed')
  if (tensor.name !== input.name) return refuse('MALFORMED', `the input is called ${input.name}`)
  if (tensor.datatype !== 'FP32')
    return refuse('MALFORMED', `the input's datatype is FP32, not ${tensor.datatype}`)
  const [rows, width] = tensor.shape
  if (tensor.shape.length !== 2 || rows === undefined || width === undefined || width !== columns) {
    return refuse('MALFORMED', `shape ${tensor.shape.join(' × ')}, expected rows × ${columns}`)
  }
  const features = numbersOf(tensor, rows, width, binary)
  if (features === undefined) return refuse('MALFORMED', `data are not ${rows * width} finite numbers`)
  return accept({ features, rows })
}

/** A tensor has its numbers in one place only; bytes that belong to no tensor are none of anything. */
const numbersOf = (
  { data, parameters }: InferRequest['inputs'][number],
  rows: number,
  columns: number,
  binary: Uint8Array,
): Float32Array | undefined => {
  const bytes = parameters?.binary_data_size
  if (bytes === undefined) {
    return data === undefined || binary.length > 0 ? undefined : flatten(data, rows, columns)
  }
  return data === undefined && bytes === binary.length ? parseBinaryRows(binary, rows * columns) : undefined
}

/** The numbers row by row, or undefined where there are more, fewer or others. */
const flatten = (data: readonly unknown[], rows: number, columns: number): Float32Array | undefined => {
  const nested = Array.isArray(data[0])
  if (data.length !== (nested ? rows : rows * columns)) return undefined
  const features = new Float32Array(rows * columns)
  const write = (values: readonly unknown[], offset: number): boolean => {
    for (let i = 0; i < values.length; i++) {
      const value = values[i]
      // What is infinite as a float32 would come out as no number, and be held against the model.
      if (typeof value !== 'number' || !Number.isFinite(Math.fround(value))) return false
      features[offset + i] = value
    }
    return true
  }
  if (!nested) return write(data, 0) ? features : undefined
  for (const [row, values] of data.entries()) {
    if (!Array.isArray(values) || values.length !== columns || !write(values, row * columns)) return undefined
  }
  return features
}

/** Version 0 is the baseline; `parameters` says who answered by digest, too. */
export const toInferResponse = (
  model: string,
  madeBy: Maker,
  id: string | undefined,
  outputs: readonly OutputTensor[],
) => ({
  model_name: model,
  model_version: String(madeBy.version),
  parameters: {
    made_by: madeBy.kind,
    ...(madeBy.kind === 'model' && { sha256: madeBy.sha256 }),
  },
  ...(id === undefined ? {} : { id }),
  outputs: outputs.map(({ name, shape, values, binary }) => ({
    name,
    shape,
    datatype: 'FP32',
    ...(binary ? { parameters: { binary_data_size: values.byteLength } } : { data: Array.from(values) }),
  })),
})

/** What a model takes and gives; −1 is the free dimension. */
export const toModelMetadata = ({ model, version, contract, isSubstitute }: LoadedModel) => ({
  name: model,
  versions: [String(version)],
  platform: isSubstitute === true ? 'imlma_seasonal_naive' : 'onnx_onnxruntime',
  inputs: contract.inputs.map(toTensorMetadata),
  outputs: contract.outputs.map(toTensorMetadata),
})

const toTensorMetadata = ({ name, shape }: Contract['inputs'][number]) => ({
  name,
  datatype: 'FP32',
  shape: shape.map((length) => length ?? -1),
})
