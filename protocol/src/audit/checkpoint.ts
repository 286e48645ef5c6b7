/**
 * A checkpoint: a key says where a log stood at a moment. What lies before it cannot be rewritten by anybody who has the
 * log and not the key, and a log that ends before its latest checkpoint was cut.
 */

import type { z } from 'zod'
import { accept, refuse, type Result } from '../result.ts'
import { preAuthenticationEncoding, sealEnvelope, type Signer } from '../trust/seal.ts'
import { fromBase64 } from '../trust/base64.ts'
import type { Envelope } from '../trust/envelope.ts'
import { openEnvelope } from '../trust/verify.ts'
import type { VerificationKey, VerifySignature } from '../trust/signatures.ts'
import { epochMsSchema, headerSchema, nameSchema } from '../wire/header.ts'
import { auditHeadSchema } from './chain.ts'

export const checkpointPayloadType = 'application/vnd.imlma.checkpoint+json'

export const checkpointSchema = headerSchema.extend({
  site: nameSchema,
  /** Whose log it is; null for the control centre's own. */
  agent: nameSchema.nullable(),
  /** The log's own name: new with every log that begins at its first entry. */
  log: nameSchema,
  head: auditHeadSchema,
  at: epochMsSchema,
})
export type Checkpoint = Readonly<z.infer<typeof checkpointSchema>>

export const sealCheckpoint = (checkpoint: Checkpoint, signer: Signer): Envelope =>
  sealEnvelope(checkpointPayloadType, checkpoint, [signer])

/** What it says, believed by nobody yet. */
export const claimedCheckpoint = (envelope: Envelope): Checkpoint | undefined => {
  const opened = openEnvelope(envelope, { payloadType: checkpointPayloadType, schema: checkpointSchema })
  return opened.ok ? opened.value : undefined
}

/** What it says, when one of these keys has signed it. A trust root's roles are `openEnvelope`'s matter. */
export const openCheckpoint = (
  envelope: Envelope,
  keys: readonly VerificationKey[],
  verify: VerifySignature,
): Result<Checkpoint & { readonly keyid: string }, 'BAD_SIGNATURE' | 'UNKNOWN_KEY' | 'MALFORMED'> => {
  const checkpoint = claimedCheckpoint(envelope)
  if (checkpoint === undefined) return refuse('MALFORMED', 'this is no checkpoint')
  const bytes = preAuthenticationEncoding(envelope.payloadType, fromBase64(envelope.payload))
  const known = envelope.signatures.flatMap(({ keyid, sig }) => {
    const key = keys.find((candidate) => candidate.keyid === keyid)
    return key === undefined ? [] : [{ key, sig }]
  })
  if (known.length === 0)
    return refuse('UNKNOWN_KEY', 'the checkpoint is signed by no key that is known here')
  const signed = known.find(({ key, sig }) => verify(key, bytes, fromBase64(sig)))
  if (signed === undefined) return refuse('BAD_SIGNATURE', 'the signature of the checkpoint does not verify')
  return accept({ ...checkpoint, keyid: signed.key.keyid })
}
