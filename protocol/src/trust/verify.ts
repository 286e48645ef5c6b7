/**
 * May these bytes be believed? Signatures first, then the same bytes are parsed: nothing in a document is looked
 * at before a threshold of its role's keys has signed exactly that document.
 */

import type { z } from 'zod'
import { accept, refuse, type Result } from '../result.ts'
import { fromBase64, preAuthenticationEncoding, type Envelope } from './envelope.ts'
import type { Role, TrustRoot } from './root.ts'

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

/** True when `signature` over `bytes` is by `publicKey` (raw, 32 bytes); must refuse malleated signatures. */
export type VerifySignature = (publicKey: Uint8Array, bytes: Uint8Array, signature: Uint8Array) => boolean

interface Unverified<Document> {
  readonly payloadType: string
  readonly schema: z.ZodType<Document>
}

interface Verified<Document> extends Unverified<Document> {
  readonly root: TrustRoot
  readonly role: Role
  readonly verify: VerifySignature
}

/** The document inside, once a threshold of the role's keys in `root` has signed it. Each key counts once. */
export const openEnvelope = <Document>(
  envelope: Envelope,
  terms: Unverified<Document> | Verified<Document>,
): Result<Document, TrustRefusal> => {
  if (envelope.payloadType !== terms.payloadType) {
    return refuse('MALFORMED', `payload type ${envelope.payloadType}, expected ${terms.payloadType}`)
  }
  const payload = fromBase64(envelope.payload)
  if ('verify' in terms) {
    const authority = authorise(envelope, payload, terms)
    if (!authority.ok) return authority
  }
  return parsePayload(payload, terms.schema)
}

/** Accepts when enough different keys of the role verify; otherwise the most telling refusal. */
const authorise = (
  envelope: Envelope,
  payload: Uint8Array,
  { root, role, verify }: Pick<Verified<unknown>, 'root' | 'role' | 'verify'>,
): Result<void, TrustRefusal> => {
  const { keyids, threshold } = root.roles[role]
  const bytes = preAuthenticationEncoding(envelope.payloadType, payload)
  const signedBy = new Set<string>()
  let foreign = 0
  let unknown = 0
  for (const { keyid, sig } of envelope.signatures) {
    const key = Object.hasOwn(root.keys, keyid) ? root.keys[keyid] : undefined
    if (key === undefined) {
      unknown += 1
    } else if (!verify(fromBase64(key.public), bytes, fromBase64(sig))) {
      continue
    } else if (keyids.includes(keyid)) {
      signedBy.add(keyid)
    } else {
      foreign += 1
    }
  }
  if (signedBy.size >= threshold) return accept(undefined)
  if (foreign > 0) return refuse('NOT_AUTHORISED', `signed by a key that does not hold the role ${role}`)
  if (unknown === envelope.signatures.length) {
    return refuse('UNKNOWN_KEY', `no signature is by a key of trust root version ${root.version}`)
  }
  return refuse('BAD_SIGNATURE', `${signedBy.size} of ${threshold} signatures of role ${role} verify`)
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
