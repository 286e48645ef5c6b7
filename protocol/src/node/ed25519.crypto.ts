/**
 * Ed25519 by OpenSSL. Raw 32-byte keys travel in our documents; OpenSSL wants DER, which is a fixed prefix away
 * (RFC 8410, "Subject Public Key Fields" and "Private Key Format"). OpenSSL refuses malleated signatures.
 */

import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  sign as signBytes,
  verify as verifyBytes,
  type KeyObject,
} from 'node:crypto'
import { invariant } from '../result.ts'
import type { Signer } from '../trust/seal.ts'

const publicPrefix = Buffer.from('302a300506032b6570032100', 'hex')
const privatePrefix = Buffer.from('302e020100300506032b657004220420', 'hex')

/** A key pair as raw bytes: 32 public, 32 secret (the seed). */
export interface KeyPair {
  readonly publicKey: Uint8Array
  readonly secretKey: Uint8Array
}

export const generateKeyPair = (): KeyPair => {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519')
  return {
    publicKey: publicKey.export({ type: 'spki', format: 'der' }).subarray(publicPrefix.length),
    secretKey: privateKey.export({ type: 'pkcs8', format: 'der' }).subarray(privatePrefix.length),
  }
}

/** A key's name in the trust root: SHA-256 of its raw public bytes, in hexadecimal. */
export const toKeyId = (publicKey: Uint8Array): string => createHash('sha256').update(publicKey).digest('hex')

/** A signer for a raw 32-byte secret key. */
export const createSigner = (secretKey: Uint8Array): Signer => {
  invariant(secretKey.byteLength === 32, 'an Ed25519 secret key has 32 bytes')
  const key = createPrivateKey({
    key: Buffer.concat([privatePrefix, secretKey]),
    format: 'der',
    type: 'pkcs8',
  })
  const raw = createPublicKey(key).export({ type: 'spki', format: 'der' }).subarray(publicPrefix.length)
  return { keyid: toKeyId(raw), sign: (bytes) => signBytes(null, bytes, key) }
}

/** Ed25519 alone; documents under a trust root are verified by `verifySignature`. */
export const verifyEd25519 = (publicKey: Uint8Array, bytes: Uint8Array, signature: Uint8Array): boolean => {
  const key = toPublicKey(publicKey)
  return key !== undefined && signature.byteLength === 64 && verifyBytes(null, bytes, key, signature)
}

const toPublicKey = (raw: Uint8Array): KeyObject | undefined => {
  if (raw.byteLength !== 32) return undefined
  try {
    return createPublicKey({ key: Buffer.concat([publicPrefix, raw]), format: 'der', type: 'spki' })
  } catch {
    return undefined
  }
}
