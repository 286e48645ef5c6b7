/** Schemas of the typed arrays that CBOR carries, whatever buffer they stand on. */

import { z } from 'zod'

export const bytesSchema = z.custom<Uint8Array>((value) => value instanceof Uint8Array, 'expected bytes')

export const float32ArraySchema = z.custom<Float32Array>(
  (value) => value instanceof Float32Array,
  'expected float32 values',
)
