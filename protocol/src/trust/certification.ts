/**
 * That a signing key is an agent's. The control centre's key of role `agent` says so at enrolment and at each renewal:
 *
 *   reading batch ──signed by──▶ agent's key ──certified by──▶ role `agent` ──named by──▶ trust root
 *
 * so that who holds a trust root can check a batch years later, without asking anybody. Nothing secret is in it.
 */

import { z } from 'zod'
import { refuse, type Result } from '../result.ts'
import { epochMsSchema, headerSchema, nameSchema, sha256Schema } from '../wire/header.ts'
import { base64Schema } from './base64-schema.ts'
import { fromBase64 } from './base64.ts'
import type { Envelope } from './envelope.ts'
import { publicKeyLengths, type TrustRoot } from './root.ts'
import type { VerifySignature } from './signatures.ts'
import { openEnvelope, type TrustRefusal } from './verify.ts'

export const certificationPayloadType = 'application/vnd.imlma.agent+json'

export const certificationSchema = headerSchema
  .extend({
    site: nameSchema,
    agent: nameSchema,
    /** SHA-256 of the raw public key, in hexadecimal. */
    keyid: sha256Schema,
    /** Raw Ed25519 public key, base64. */
    public: base64Schema(publicKeyLengths.ed25519).refine(
      (key) => fromBase64(key).length === 32,
      'no public key of Ed25519',
    ),
    /** Serial of the certificate that was issued with it: what denies the one denies the other. */
    serial: z.string().regex(/^[0-9a-f]{1,40}$/),
    issuedAt: epochMsSchema,
    /** From this moment on the key signs nothing new; what it signed before stays signed. */
    expiresAt: epochMsSchema,
  })
  .refine(({ issuedAt, expiresAt }) => issuedAt < expiresAt, { message: 'ends before it begins' })
export type Certification = z.infer<typeof certificationSchema>

export interface CertificationTerms {
  readonly root: TrustRoot
  readonly verify: VerifySignature
  /** Whose key it is to be. */
  readonly site: string
  readonly agent: string
  /** Moment for which it is asked, epoch ms; left out, the time is the caller's to judge. */
  readonly at?: number
}

/**
 * The certification inside, signed under role `agent` of the root. That `keyid` belongs to `public` is told by whoever
 * verifies with the key (`VerifySignature` does). Refuses with WRONG_TARGET for another agent's, EXPIRED when it has ended.
 */
export const openCertification = (
  envelope: Envelope,
  { root, verify, site, agent, at }: CertificationTerms,
): Result<Certification, TrustRefusal> => {
  const opened = openEnvelope(envelope, {
    payloadType: certificationPayloadType,
    schema: certificationSchema,
    root,
    role: 'agent',
    verify,
  })
  if (!opened.ok) return opened
  const { value: certified } = opened
  if (certified.site !== site || certified.agent !== agent) {
    return refuse('WRONG_TARGET', `certifies a key of ${certified.site}/${certified.agent}`)
  }
  if (at !== undefined && at >= certified.expiresAt) {
    return refuse('EXPIRED', `certified until ${new Date(certified.expiresAt).toISOString()}`)
  }
  return opened
}
