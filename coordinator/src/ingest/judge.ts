/**
 * What becomes of the bytes that an agent sent as readings: taken, or put in quarantine with a code. Nothing that
 * comes from outside makes this throw.
 */

import { limits } from '@imlma/protocol/limits'
import { bearsSignature } from '@imlma/protocol/trust'
import type { MessageRefusal, ReadingBatch } from '@imlma/protocol/wire'
import { parseCborMessage, readingBatchSchema } from '@imlma/protocol/wire'
import { z } from 'zod'
import type { SignatureRefusal, VerifiedSignature } from './signatures.ts'

export type BatchRefusal = MessageRefusal | 'FROM_THE_FUTURE'

export type Judgement =
  | { readonly verdict: 'take'; readonly batch: ReadingBatch }
  | {
      readonly verdict: 'quarantine'
      readonly code: BatchRefusal | SignatureRefusal
      readonly reason: string
      /** The sequence, where it will never arrive any better; null where the agent should keep the batch. */
      readonly seq: number | null
    }

const sequenceSchema = z.object({ seq: z.number().int().min(1).max(Number.MAX_SAFE_INTEGER) })

/**
 * The batch, or why not. `latest` is the latest event time that is believed, UTC epoch milliseconds: readings from
 * further in the future come from a wrong clock, and would hide the true ones when these come. `signature` is the one that
 * was verified over these bytes; it must be in the batch, and its key still certified when the batch was sent.
 */
export const judgeReadings = (
  bytes: Uint8Array,
  latest: number,
  signature?: VerifiedSignature,
): Judgement => {
  const parsed = parseCborMessage(readingBatchSchema, bytes, limits.packetBytesMax)
  if (!parsed.ok) {
    const { code, message: reason } = parsed.refusal
    // A later coordinator may speak another version: the agent keeps those. What is malformed stays malformed.
    return { verdict: 'quarantine', code, reason, seq: code === 'MALFORMED' ? sequenceOf(bytes) : null }
  }
  const batch = parsed.value
  const objection = signature && objectionTo(batch, signature)
  // Not the agent's word as far as can be told, so its sequence stays free for the true batch.
  if (objection !== undefined) return { verdict: 'quarantine', ...objection, seq: null }
  const future = batch.series.find(
    ({ start, interval, values }) => start + (values.length - 1) * interval > latest,
  )
  if (future === undefined) return { verdict: 'take', batch }
  const reason = `${future.meter} has readings later than ${new Date(latest).toISOString()}`
  return { verdict: 'quarantine', code: 'FROM_THE_FUTURE', reason, seq: batch.seq }
}

const objectionTo = (batch: ReadingBatch, signature: VerifiedSignature) => {
  if (!bearsSignature(batch, signature)) {
    return { code: 'BAD_SIGNATURE', reason: 'the batch is not the map that its signature ends' } as const
  }
  if (batch.sentAt < signature.expiresAt) return undefined
  const reason = `sent at ${toIso(batch.sentAt)} by a key certified until ${toIso(signature.expiresAt)}`
  return { code: 'EXPIRED', reason } as const
}

const toIso = (at: number): string => new Date(at).toISOString()

const sequenceOf = (bytes: Uint8Array): number | null => {
  const parsed = parseCborMessage(sequenceSchema, bytes, limits.packetBytesMax)
  return parsed.ok ? parsed.value.seq : null
}
