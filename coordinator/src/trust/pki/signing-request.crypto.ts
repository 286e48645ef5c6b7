/**
 * A certificate signing request (PKCS #10): whose key is it? The public key is the only thing taken from it; the names
 * it asks for are never looked at. That the sender holds the secret key is proven by the request's own signature,
 * which OpenSSL checks over the bytes as they came.
 */

import { createPublicKey, verify, type KeyObject } from 'node:crypto'
import { accept, refuse, type Result } from '@imlma/protocol/result'
import { derTags, readElement, readElements } from './der.ts'

/** A request with an RSA-4096 key has about 1,700 characters. */
const requestLengthMax = 8_192

/** Below, a key can be broken within a certificate's life; above, its checking is work for nothing. */
const modulusBits = { min: 2_048, max: 4_096 }

/** RSASSA-PKCS1-v1_5 with SHA-256, SHA-384, SHA-512, and no parameters (RFC 8017, "Appendix C"). */
const digests: Readonly<Record<string, string>> = {
  '06092a864886f70d01010b0500': 'sha256',
  '06092a864886f70d01010c0500': 'sha384',
  '06092a864886f70d01010d0500': 'sha512',
}

/** The proven public key inside. Accepts PEM of one request; never throws. */
export const parseSigningRequest = (pem: string): Result<KeyObject, 'BAD_REQUEST'> => {
  if (pem.length > requestLengthMax)
    return bad(`${pem.length} characters, at most ${requestLengthMax} are read`)
  const base64 = /^\s*-----BEGIN (?:NEW )?CERTIFICATE REQUEST-----([A-Za-z0-9+/=\s]+)-----END/.exec(pem)?.[1]
  if (base64 === undefined) return bad('not a certificate signing request in PEM')
  const parts = split(Buffer.from(base64, 'base64'))
  if (parts === undefined) return bad('not an intact certificate signing request')
  const { signed, keyDer, algorithm, signature } = parts
  const digest = digests[Buffer.from(algorithm).toString('hex')]
  if (digest === undefined) return bad('not signed with RSA and SHA-256, SHA-384 or SHA-512')
  const key = readKey(keyDer)
  if (!key.ok) return key
  try {
    if (verify(digest, signed, key.value, signature)) return key
  } catch {
    // OpenSSL objects to the key or to the signature's form: not proven either.
  }
  return bad('its signature is not by the key inside')
}

/** CertificationRequest ::= SEQUENCE { info, algorithm, signature }; info ::= { version, subject, key, attributes }. */
const split = (der: Uint8Array) => {
  const request = readElement(der)
  if (request?.tag !== derTags.sequence || request.rest.byteLength > 0) return undefined
  const [info, algorithm, signature, ...more] = readElements(request.content) ?? []
  if (info?.tag !== derTags.sequence || algorithm?.tag !== derTags.sequence) return undefined
  // A signature is whole bytes: the count of unused bits before them is zero.
  if (signature?.tag !== derTags.bitString || signature.content[0] !== 0 || more.length > 0) return undefined
  const [version, subject, key] = readElements(info.content) ?? []
  if (version?.tag !== derTags.integer || subject?.tag !== derTags.sequence) return undefined
  if (key?.tag !== derTags.sequence) return undefined
  return {
    signed: info.whole,
    keyDer: key.whole,
    algorithm: algorithm.content,
    signature: signature.content.subarray(1),
  }
}

const readKey = (der: Uint8Array): Result<KeyObject, 'BAD_REQUEST'> => {
  try {
    const key = createPublicKey({ key: Buffer.from(der), format: 'der', type: 'spki' })
    const { modulusLength = 0, publicExponent } = key.asymmetricKeyDetails ?? {}
    if (key.asymmetricKeyType !== 'rsa') return bad(`the key is ${key.asymmetricKeyType}, not RSA`)
    if (modulusLength < modulusBits.min || modulusLength > modulusBits.max) {
      return bad(`the key has ${modulusLength} bits, not ${modulusBits.min} to ${modulusBits.max}`)
    }
    // Every tool makes this one; small ones are weak, huge ones cost time.
    return publicExponent === 65_537n ? accept(key) : bad('the exponent of the key is not 65537')
  } catch {
    return bad('the key inside cannot be read')
  }
}

const bad = (message: string) =>
  refuse(
    'BAD_REQUEST',
    `certificate signing request: ${message}`,
    'make a new request with an RSA key of 2048 bits',
  )
