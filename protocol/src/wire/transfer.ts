/** Moving an artifact in pieces: the agent asks for a range, the coordinator answers with that range. */

import { z } from 'zod'
import { limits } from '../limits.ts'
import { headerSchema, nameSchema, sha256Schema } from './header.ts'
import { bytesSchema } from './typed-arrays.ts'

export const fetchSchema = headerSchema.extend({
  requestId: nameSchema,
  sha256: sha256Schema,
  offset: z.number().int().min(0).max(limits.artifactBytesMax),
  length: z.number().int().min(1).max(limits.chunkBytesMax),
})
export type Fetch = z.infer<typeof fetchSchema>

export const chunkSchema = z.object({
  sha256: sha256Schema,
  offset: z.number().int().min(0).max(limits.artifactBytesMax),
  /** Bytes of the whole artifact; 0 says that the coordinator does not have it. */
  total: z.number().int().min(0).max(limits.artifactBytesMax),
  bytes: bytesSchema,
  /** CRC-32 (ISO-HDLC) of `bytes`: finds line noise early, trust comes from the SHA-256 alone. */
  crc32: z.number().int().min(0).max(0xff_ff_ff_ff),
})
export type Chunk = z.infer<typeof chunkSchema>
