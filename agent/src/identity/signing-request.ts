/**
 * A certificate signing request (PKCS #10) in PEM: this key is mine, and I would like to be called so. A structure of a
 * dozen elements, written here rather than by a library: one that can write any certificate would stay in the memory
 * of an agent that asks once in twenty days.
 * Source: RFC 2986, "Certification Request Syntax"; RFC 8017, "Appendix C" (sha256WithRSAEncryption).
 */

import { toBase64 } from '@imlma/protocol/trust'
import { derTags, element } from './der.ts'

interface Parts {
  /** SubjectPublicKeyInfo in DER. */
  readonly publicKey: Uint8Array
  /** RSASSA-PKCS1-v1_5 with SHA-256 by the secret key that belongs to it. */
  readonly sign: (bytes: Uint8Array) => Uint8Array
}

interface Subject {
  readonly agent: string
  readonly site: string
}

/** Object identifiers, encoded: commonName 2.5.4.3, organizationalUnitName 2.5.4.11, sha256WithRSAEncryption 1.2.840.113549.1.1.11. */
const commonName = Uint8Array.of(0x55, 0x04, 0x03)
const organizationalUnit = Uint8Array.of(0x55, 0x04, 0x0b)
const sha256WithRsa = Uint8Array.of(0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0b)

/** The names are for whoever reads it: the authority takes them from the token. */
export const createSigningRequest = ({ publicKey, sign }: Parts, { agent, site }: Subject): string => {
  const { integer, sequence, bitString, context0 } = derTags
  const version = element(integer, Uint8Array.of(0))
  const subject = element(sequence, nameOf(commonName, agent), nameOf(organizationalUnit, site))
  const asked = element(sequence, version, subject, publicKey, element(context0))
  const algorithm = element(sequence, element(derTags.oid, sha256WithRsa), element(derTags.null))
  // A signature is whole bytes: no bits of the last one are unused.
  const signature = element(bitString, Uint8Array.of(0), sign(asked))
  return toPem(element(sequence, asked, algorithm, signature))
}

const nameOf = (type: Uint8Array, value: string): Uint8Array =>
  element(
    derTags.set,
    element(
      derTags.sequence,
      element(derTags.oid, type),
      element(derTags.utf8String, new TextEncoder().encode(value)),
    ),
  )

const toPem = (der: Uint8Array): string => {
  const lines = toBase64(der).match(/.{1,64}/g) ?? []
  return ['-----BEGIN CERTIFICATE REQUEST-----', ...lines, '-----END CERTIFICATE REQUEST-----', ''].join('\n')
}
