/**
 * The trust root: which keys may speak in which role, and how many people it takes. How one root follows another is in
 * `chain.ts`, what a signature counts for in `signatures.ts`.
 *
 * A holder is an Ed25519 key. Where a role asks for ML-DSA-65 as well, the holder's key names its companion, and the
 * holder has signed only where both have. Names are people: two keys of one name count once.
 */

import { z } from 'zod'
import { epochMsSchema, headerSchema } from '../wire/header.ts'
import { base64Schema } from './base64-schema.ts'

export const rootPayloadType = 'application/vnd.imlma.root+json'

export const roles = ['root', 'release', 'director', 'technician', 'agent'] as const
export type Role = (typeof roles)[number]

/** `ml-dsa-65` holds also against a quantum computer (FIPS 204); it stands beside Ed25519, never alone. */
export const keySchemes = ['ed25519', 'ml-dsa-65'] as const
export type KeyScheme = (typeof keySchemes)[number]

/** Base64 characters of a raw public key: 32 bytes, and 1,952. */
export const publicKeyLengths: Readonly<Record<KeyScheme, number>> = { ed25519: 44, 'ml-dsa-65': 2_604 }

/** People who must sign a command to more than one agent, where the root says nothing else. */
export const groupThresholdDefault = 2

/** SHA-256 of the raw public key, in hexadecimal. */
const keyId = z.string().regex(/^[0-9a-f]{64}$/)

const schemeSchema = z.enum(keySchemes, {
  error: ({ input }) => `the key scheme ${String(input).slice(0, 32)} is not known here: update this program`,
})

const keySchema = z
  .object({
    scheme: schemeSchema,
    /** Raw public key, base64. */
    public: base64Schema(publicKeyLengths['ml-dsa-65']),
    /** Whose key it is: a person, or a service of the control centre. */
    name: z.string().max(64),
    /** The same holder's key of the other scheme. */
    companion: keyId.optional(),
  })
  .refine((key) => key.public.length === publicKeyLengths[key.scheme], 'a public key of another scheme')

const roleSchema = z.object({
  keyids: z.array(keyId).max(256),
  /** People it takes. */
  threshold: z.number().int().min(1).max(16),
  /** Every one of them must verify; Ed25519 alone where it is left out. */
  schemes: z
    .array(schemeSchema)
    .max(keySchemes.length)
    .refine((schemes) => schemes.includes('ed25519'), 'ed25519 is always asked for')
    .optional(),
  /** Role technician: people it takes to command more than one agent (`groupThresholdDefault` where left out). */
  groupThreshold: z.number().int().min(1).max(16).optional(),
})

export const rootSchema = headerSchema
  .extend({
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
  .superRefine(({ keys, roles: held }, context) => {
    for (const message of contradictions(keys, held)) context.addIssue({ code: 'custom', message })
  })
export type TrustRoot = z.infer<typeof rootSchema>
export type RootKey = TrustRoot['keys'][string]

/** What a root must not say, whoever signed it. */
const contradictions = (
  keys: Readonly<Record<string, z.infer<typeof keySchema>>>,
  held: Readonly<Record<Role, z.infer<typeof roleSchema>>>,
): readonly string[] => {
  const found: string[] = []
  const all = Object.entries(keys)
  if (new Set(all.map(([, key]) => key.public)).size < all.length)
    found.push('one public key stands under two ids')
  const companions = all.flatMap(([, { companion }]) => companion ?? [])
  if (new Set(companions).size < companions.length) found.push('two holders share a companion key')
  for (const [keyid, { scheme, companion }] of all) {
    if (companion === undefined) continue
    if (scheme !== 'ed25519' || keys[companion]?.scheme !== 'ml-dsa-65')
      found.push(`${keyid} has a wrong companion`)
  }
  for (const [role, { keyids, schemes }] of Object.entries(held)) {
    for (const keyid of keyids) {
      const key = Object.hasOwn(keys, keyid) ? keys[keyid] : undefined
      if (key === undefined) continue
      if (key.scheme !== 'ed25519')
        found.push(`role ${role} is held by a key that may only stand beside another`)
      if (schemes?.includes('ml-dsa-65') === true && key.companion === undefined) {
        found.push(`role ${role} asks for ml-dsa-65, and the key ${keyid} has none beside it`)
      }
    }
  }
  return found
}

/** Who holds a key: the name, however it is written; a key without a name stands for itself. */
export const personOf = (root: Pick<TrustRoot, 'keys'>, keyid: string): string => {
  const name = Object.hasOwn(root.keys, keyid) ? root.keys[keyid]?.name.normalize('NFKC').trim() : ''
  return name === undefined || name === '' ? keyid : name.toLowerCase()
}
