/**
 * How a gateway becomes an agent of a site: the token that a person carries to it, what it asks the gateway listener
 * for, and what it is given. The token says whom to believe: the digests of the authority and of the first trust root.
 *
 *   POST /enrol   EnrolRequest  → Enrolment     (no client certificate: the token's secret)
 *   POST /renew   RenewRequest  → Enrolment     (the certificate that is to be renewed)
 */

import { z } from 'zod'
import { accept, refuse, type Result } from '../result.ts'
import { epochMsSchema, headerSchema, nameSchema, parseJsonMessage, sha256Schema } from '../wire/header.ts'
import { fromBase64, toBase64 } from './base64.ts'
import { envelopeSchema } from './envelope.ts'

const tokenPrefix = 'imlma1.'

/** A token has about 450 characters. */
const tokenLengthMax = 2_048

/** 32 random bytes. */
const secretSchema = z.string().regex(/^[A-Za-z0-9_-]{43}$/)

const pemSchema = z.string().min(1).max(8_192)

/** Raw Ed25519 public key, 32 bytes, base64. */
const signingKeySchema = z.base64().length(44)

const tokenSchema = z.object({
  /** Of the gateway listener. */
  url: z.url({ protocol: /^https$/ }).max(512),
  site: nameSchema,
  agent: nameSchema,
  /** SHA-256 of the authority's certificate in DER. */
  ca: sha256Schema,
  /** SHA-256 of the first trust root's envelope as canonical JSON. */
  root: sha256Schema,
  secret: secretSchema,
})
export type EnrolmentToken = Readonly<z.infer<typeof tokenSchema>>

export const enrolRequestSchema = headerSchema.extend({
  site: nameSchema,
  agent: nameSchema,
  secret: secretSchema,
  /** PKCS #10 in PEM, RSA; the names inside are not looked at. */
  csr: pemSchema,
  signingKey: signingKeySchema,
})
export type EnrolRequest = z.infer<typeof enrolRequestSchema>

export const renewRequestSchema = headerSchema.extend({
  csr: pemSchema,
  /** The key that signs from now on; the one that was certified last where it is left out. */
  signingKey: signingKeySchema.optional(),
})
export type RenewRequest = z.infer<typeof renewRequestSchema>

export const enrolmentSchema = headerSchema.extend({
  /** PEM. */
  certificate: pemSchema,
  notAfter: epochMsSchema,
  ca: pemSchema,
  /** The chain of trust roots, oldest first. */
  roots: z.array(envelopeSchema).min(1),
  /** That the signing key is this agent's (`application/vnd.imlma.agent+json`). */
  certification: envelopeSchema,
  /** Where the site's broker is. */
  broker: z.url().max(512),
})
export type Enrolment = z.infer<typeof enrolmentSchema>

export const enrolmentRefusals = [
  'TOKEN_UNKNOWN',
  'TOKEN_EXPIRED',
  'TOKEN_USED',
  'WRONG_TARGET',
  'BAD_REQUEST',
  'DENIED',
  'TOO_EARLY',
  'TOO_MANY',
] as const
export type EnrolmentRefusal = (typeof enrolmentRefusals)[number]

/** What the gateway listener answers when it refuses. */
export const enrolmentRefusedSchema = z.object({
  code: z.string().max(64),
  message: z.string().max(1_000),
  hint: z.string().max(1_000).optional(),
})

export const encodeToken = (token: EnrolmentToken): string => {
  const bytes = new TextEncoder().encode(JSON.stringify(tokenSchema.parse(token)))
  return `${tokenPrefix}${toBase64(bytes).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '')}`
}

/** White space around it is forgiven: it is copied by hand or read from a file. */
export const parseToken = (text: string): Result<EnrolmentToken, 'BAD_TOKEN'> => {
  const bare = text.length > tokenLengthMax ? '' : text.trim()
  const body = bare.startsWith(tokenPrefix) ? bare.slice(tokenPrefix.length) : ''
  // A single character of four carries no whole byte.
  if (!/^[A-Za-z0-9_-]+$/.test(body) || body.length % 4 === 1) return badToken('not an enrolment token')
  const bytes = fromBase64(body.replaceAll('-', '+').replaceAll('_', '/'))
  const token = parseJsonMessage(tokenSchema, bytes, tokenLengthMax)
  return token.ok ? accept(token.value) : badToken(token.refusal.message)
}

const badToken = (message: string) =>
  refuse('BAD_TOKEN', message, 'copy the whole line that imlma pki token has printed')
