/**
 * Who has signed an envelope, in the eyes of a trust root? People are counted, not signatures: one that stands there
 * twice counts once, two keys of one person count once, and half a signature counts for nothing.
 */

import { fromBase64 } from './base64.ts'
import type { Envelope } from './envelope.ts'
import { personOf, type KeyScheme, type Role, type TrustRoot } from './root.ts'
import { preAuthenticationEncoding } from './seal.ts'

export interface VerificationKey {
  readonly keyid: string
  readonly scheme: KeyScheme
  /** Raw bytes. */
  readonly publicKey: Uint8Array
}

/**
 * True when `signature` over `bytes` is by the key, in the key's own scheme. False for a scheme that is not known, for a
 * malleated signature, and for a key whose id is not the SHA-256 of its public bytes.
 */
export type VerifySignature = (key: VerificationKey, bytes: Uint8Array, signature: Uint8Array) => boolean

export interface SignatureTerms {
  readonly root: TrustRoot
  readonly role: Role
  readonly verify: VerifySignature
}

export interface ReadSignatures {
  /** Keys of the role whose holder has signed with every scheme that the role asks for. */
  readonly keyids: readonly string[]
  /** The people behind these keys, each once. */
  readonly persons: readonly string[]
  /** Holders of the role of whom one scheme verifies and another does not. */
  readonly halves: number
  /** Signatures that verify, by keys that hold another role. */
  readonly foreign: number
  /** Signatures under ids that the root does not know. */
  readonly unknown: number
}

/** The signatures' own bytes and their order identify nothing. `decoded`: the payload's bytes, where they are at hand. */
export const readSignatures = (
  { payloadType, payload, signatures }: Envelope,
  { root, role, verify }: SignatureTerms,
  decoded: Uint8Array = fromBase64(payload),
): ReadSignatures => {
  const bytes = preAuthenticationEncoding(payloadType, decoded)
  const signedBy = new Set<string>()
  let unknown = 0
  for (const { keyid, sig } of signatures) {
    const key = Object.hasOwn(root.keys, keyid) ? root.keys[keyid] : undefined
    if (key === undefined) {
      unknown += 1
      continue
    }
    if (signedBy.has(keyid)) continue
    const verifying = { keyid, scheme: key.scheme, publicKey: fromBase64(key.public) }
    if (verify(verifying, bytes, fromBase64(sig))) signedBy.add(keyid)
  }
  const { keyids: holders, schemes = ['ed25519'] } = root.roles[role]
  const both = schemes.includes('ml-dsa-65')
  const companionOf = (keyid: string): string | undefined => root.keys[keyid]?.companion
  const whole = holders.filter(
    (keyid) => signedBy.has(keyid) && (!both || signedBy.has(companionOf(keyid) ?? '')),
  )
  const own = new Set(holders.flatMap((keyid) => [keyid, companionOf(keyid) ?? keyid]))
  const begun = holders.filter((keyid) => signedBy.has(keyid) || signedBy.has(companionOf(keyid) ?? ''))
  return {
    keyids: [...new Set(whole)],
    persons: [...new Set(whole.map((keyid) => personOf(root, keyid)))],
    halves: new Set(begun).size - new Set(whole).size,
    foreign: [...signedBy].filter((keyid) => !own.has(keyid)).length,
    unknown,
  }
}
