/**
 * May these bytes be believed? Signatures first, then the same bytes are parsed: nothing in a document is looked
 * at before a threshold of its role's keys has signed exactly that document.
 */

import type { z } from 'zod'
import { accept, refuse, type Result } from '../result.ts'
import { fromBase64 } from './base64.ts'
import type { Envelope } from './envelope.ts'
import type { Role, TrustRoot } from './root.ts'
import { readSignatures, type VerifySignature } from './signatures.ts'

export type TrustRefusal =
  | 'BAD_SIGNATURE'
  | 'UNKNOWN_KEY'
  | 'NOT_AUTHORISED'
  | 'EXPIRED'
  | 'NOT_YET_VALID'
  | 'REPLAYED'
  | 'WRONG_TARGET'
  | 'MALFORMED'
  | 'TOO_LARGE'

interface Unverified<Document> {
  readonly payloadType: string
  readonly schema: z.ZodType<Document>
}

interface Verified<Document> extends Unverified<Document> {
  readonly root: TrustRoot
  readonly role: Role
  readonly verify: VerifySignature
}

/** The document inside, once a threshold of the role's keys in `root` has signed it. Each person counts once. */
export const openEnvelope = <Document>(
  envelope: Envelope,
  terms: Unverified<Document> | Verified<Document>,
): Result<Document, TrustRefusal> => {
  if (envelope.payloadType !== terms.payloadType) {
    return refuse('MALFORMED', `payload type ${envelope.payloadType}, expected ${terms.payloadType}`)
  }
  const payload = fromBase64(envelope.payload)
  if ('verify' in terms) {
    const authority = authorise(envelope, terms, payload)
    if (!authority.ok) return authority
  }
  return parsePayload(payload, terms.schema)
}

/** Accepts when enough different people of the role have signed; otherwise the most telling refusal. */
const authorise = (
  envelope: Envelope,
  { root, role, verify }: Pick<Verified<unknown>, 'root' | 'role' | 'verify'>,
  payload: Uint8Array,
): Result<void, TrustRefusal> => {
  const { threshold } = root.roles[role]
  const { persons, halves, foreign, unknown } = readSignatures(envelope, { root, role, verify }, payload)
  if (persons.length >= threshold) return accept(undefined)
  if (foreign > 0) return refuse('NOT_AUTHORISED', `signed by a key that does not hold the role ${role}`)
  if (unknown === envelope.signatures.length) {
    return refuse('UNKNOWN_KEY', `no signature is by a key of trust root version ${root.version}`)
  }
  const half = halves === 0 ? '' : `; ${halves} lack the signature of a scheme that the root asks for`
  return refuse('BAD_SIGNATURE', `${persons.length} of ${threshold} signatures of role ${role} verify${half}`)
}

const parsePayload = <Document>(
  payload: Uint8Array,
  schema: z.ZodType<Document>,
): Result<Document, 'MALFORMED'> => {
  let document: unknown
  try {
    document = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(payload))
  } catch {
    return refuse('MALFORMED', 'the signed payload is not JSON in UTF-8')
  }
  const parsed = schema.safeParse(document)
  if (parsed.success) return accept(parsed.data)
  const issue = parsed.error.issues[0]
  return refuse(
    'MALFORMED',
    `signed payload: ${issue?.path.join('.') ?? ''} ${issue?.message ?? 'wrong form'}`,
  )
}
