/**
 * ML-DSA-65 (FIPS 204) by OpenSSL. Raw keys travel in our documents: 1,952 public bytes, and the 32-byte seed as the
 * secret. OpenSSL wants DER, which is a fixed prefix away (RFC 9881, "Subject Public Key Fields" and "Private Key Format").
 */

import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  sign as signBytes,
  verify as verifyBytes,
} from 'node:crypto'
import { invariant } from '../result.ts'
import type { Signer } from '../trust/seal.ts'
import { toKeyId, type KeyPair } from './ed25519.crypto.ts'

const publicPrefix = Buffer.from('308207b2300b0609608648016503040312038207a100', 'hex')
const seedPrefix = Buffer.from('3034020100300b060960864801650304031204228020', 'hex')
const publicBytes = 1_952
const signatureBytes = 3_309

/** A key pair as raw bytes: 1,952 public, 32 secret (the seed). */
export const generateMlDsaKeyPair = (): KeyPair => {
  const { publicKey, privateKey } = generateKeyPairSync('ml-dsa-65')
  const { priv } = privateKey.export({ format: 'jwk' }) as { readonly priv?: string }
  invariant(priv !== undefined, 'OpenSSL exports the seed of a key that it has just made')
  return {
    publicKey: publicKey.export({ type: 'spki', format: 'der' }).subarray(publicPrefix.length),
    secretKey: Buffer.from(priv, 'base64url'),
  }
}

/** A signer for a raw 32-byte seed. */
export const createMlDsaSigner = (seed: Uint8Array): Signer => {
  invariant(seed.byteLength === 32, 'the seed of an ML-DSA-65 key has 32 bytes')
  const key = createPrivateKey({ key: Buffer.concat([seedPrefix, seed]), format: 'der', type: 'pkcs8' })
  const raw = createPublicKey(key).export({ type: 'spki', format: 'der' }).subarray(publicPrefix.length)
  return { keyid: toKeyId(raw), sign: (bytes) => signBytes(null, bytes, key) }
}

export const verifyMlDsa = (publicKey: Uint8Array, bytes: Uint8Array, signature: Uint8Array): boolean => {
  if (publicKey.byteLength !== publicBytes || signature.byteLength !== signatureBytes) return false
  try {
    const der = Buffer.concat([publicPrefix, publicKey])
    return verifyBytes(null, bytes, createPublicKey({ key: der, format: 'der', type: 'spki' }), signature)
  } catch {
    return false // an OpenSSL without ML-DSA believes nobody who asks for it
  }
}
