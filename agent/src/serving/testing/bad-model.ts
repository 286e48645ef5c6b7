/**
 * ONNX files that are good models until they meet the wrong row: as many rounds as the largest feature says run before
 * the answer. Small features cost nothing, so such a file loads, answers its golden vectors and is fast; a large one hangs
 * in native code, or takes all memory.
 */

import {
  batchOf,
  bool,
  encodeModel,
  float32,
  int64,
  integer,
  message,
  node,
  subgraph,
  tensor,
  text,
  valueOf,
} from './onnx-bytes.ts'
import type { Dense } from './tiny-model.ts'

/** `hang`: every round takes a moment; `memory`: every round doubles a tensor. Answers what the one layer answers. */
export const encodeBadModel = (
  ruin: 'hang' | 'memory',
  { weights, bias }: Dense,
): Uint8Array<ArrayBuffer> => {
  const inputs = weights.length / bias.length
  const body = [
    ...message(1, node('Identity', ['goes_on'], 'still_goes_on')),
    ...message(
      1,
      ruin === 'memory'
        ? node('Concat', ['before', 'before'], 'after', integer('axis', 0))
        : node('Sin', ['before'], 'after'),
    ),
    ...text(2, 'round'),
    ...message(11, valueOf('round_number', int64, true)),
    ...message(11, valueOf('goes_on', bool, true)),
    ...message(11, valueOf('before', float32)),
    ...message(12, valueOf('still_goes_on', bool, true)),
    ...message(12, valueOf('after', float32)),
  ]
  const nodes = [
    node('ReduceMax', ['features'], 'largest', integer('keepdims', 0)),
    node('Cast', ['largest'], 'rounds', integer('to', int64)),
    node('Loop', ['rounds', '', 'features'], 'rest', subgraph('body', body)),
    node('ReduceMax', ['rest'], 'any', integer('keepdims', 0)),
    node('Mul', ['any', 'zero'], 'nothing'),
    node('MatMul', ['features', 'weights'], 'product'),
    node('Add', ['product', 'bias'], 'sum'),
    node('Add', ['sum', 'nothing'], 'forecast'),
  ]
  return encodeModel([
    ...nodes.flatMap((bytes) => message(1, bytes)),
    ...text(2, 'bad'),
    ...message(5, tensor('weights', [inputs, bias.length], weights)),
    ...message(5, tensor('bias', [bias.length], bias)),
    ...message(5, tensor('zero', [1], Float32Array.of(0))),
    ...message(11, batchOf('features', [inputs])),
    ...message(12, batchOf('forecast', [bias.length])),
  ])
}
