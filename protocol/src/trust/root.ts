/**
 * The trust root: which keys may speak in which role, and how many of them it takes.
 * A gateway is born with one version of it and follows the chain: each next version is signed by a threshold
 * of the old root keys and of the new ones (The Update Framework 1.0.34, "Update the root role").
 */

import { z } from 'zod'
import { accept, refuse, type Result } from '../result.ts'
import { epochMsSchema, headerSchema } from '../wire/header.ts'
import type { Envelope } from './envelope.ts'
import { openEnvelope, type TrustRefusal, type VerifySignature } from './verify.ts'

export const rootPayloadType = 'application/vnd.imlma.root+json'

export const roles = ['root', 'release', 'director', 'technician', 'agent'] as const
export type Role = (typeof roles)[number]

const keyId = z.string().regex(/^[0-9a-f]{64}$/)

const keySchema = z.object({
  scheme: z.literal('ed25519'),
  /** Raw public key, 32 bytes, base64. */
  public: z.base64().length(44),
  /** For people: whose key it is. */
  name: z.string().max(64),
})

const roleSchema = z.object({ keyids: z.array(keyId).max(256), threshold: z.number().int().min(1).max(16) })

export const rootSchema = headerSchema.extend({
  version: z.number().int().min(1),
  expiresAt: epochMsSchema,
  keys: z.record(keyId, keySchema),
  roles: z.object({
    root: roleSchema,
    release: roleSchema,
    director: roleSchema,
    technician: roleSchema,
    agent: roleSchema,
  }),
})
export type TrustRoot = z.infer<typeof rootSchema>

/** The first root of a chain: it must carry a threshold of its own keys; whoever hands it over is trusted. */
export const openFirstRoot = (
  envelope: Envelope,
  verify: VerifySignature,
): Result<TrustRoot, TrustRefusal> => {
  const claimed = openEnvelope(envelope, { payloadType: rootPayloadType, schema: rootSchema })
  if (!claimed.ok) return claimed
  return verifyBy(envelope, claimed.value, verify)
}

/** The next root: signed by a threshold of the old and of the new root keys, its version one higher. */
export const openNextRoot = (
  current: TrustRoot,
  envelope: Envelope,
  verify: VerifySignature,
): Result<TrustRoot, TrustRefusal> => {
  const byOld = verifyBy(envelope, current, verify)
  if (!byOld.ok) return byOld
  const byNew = verifyBy(envelope, byOld.value, verify)
  if (!byNew.ok) return byNew
  if (byNew.value.version !== current.version + 1) {
    return refuse('REPLAYED', `root version ${byNew.value.version} does not follow ${current.version}`)
  }
  return accept(byNew.value)
}

const verifyBy = (envelope: Envelope, root: TrustRoot, verify: VerifySignature) =>
  openEnvelope(envelope, { payloadType: rootPayloadType, schema: rootSchema, root, role: 'root', verify })
