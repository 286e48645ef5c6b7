/**
 * Is what the control centre answered really ours? Checked once, before any of it is stored: the authority and the trust
 * root are those of the token, the certificate is for our key and our name, our signing key is certified under the root.
 */

import { X509Certificate } from 'node:crypto'
import { sha256, verifySignature } from '@imlma/protocol/node'
import { accept, refuse, type Result } from '@imlma/protocol/result'
import {
  canonicalJson,
  openCertification,
  openFirstRoot,
  openNextRoot,
  type Enrolment,
  type Envelope,
  type TrustRoot,
} from '@imlma/protocol/trust'
import type { SigningKey } from './signing-key.fs.ts'
import type { TlsKey } from './tls-key.crypto.ts'

/** What this agent knows before it asks. */
export interface Expected {
  readonly site: string
  readonly agent: string
  /** SHA-256 of the authority's DER, and of the first root's envelope as canonical JSON. */
  readonly ca: string
  readonly root: string
  readonly key: TlsKey
  readonly signing: SigningKey
}

type AnswerRefusal = 'WRONG_AUTHORITY' | 'WRONG_CERTIFICATE' | 'WRONG_ROOT' | 'WRONG_CERTIFICATION'

/** SHA-256 of a certificate's DER. */
export const fingerprintOf = (pem: string): string => sha256(new X509Certificate(pem).raw)

/** As a token names it. */
export const digestOfRoot = (envelope: Envelope): string => sha256(canonicalJson(envelope))

export const checkAnswer = (answer: Enrolment, expected: Expected): Result<void, AnswerRefusal> => {
  const certificate = checkCertificate(answer, expected)
  if (!certificate.ok) return certificate
  const root = checkRoots(answer.roots, expected.root)
  if (!root.ok) return root
  const { site, agent, signing } = expected
  const certified = openCertification(answer.certification, {
    root: root.value,
    verify: verifySignature,
    site,
    agent,
  })
  if (!certified.ok) return wrong('WRONG_CERTIFICATION', certified.refusal.message)
  const { keyid } = certified.value
  return keyid === signing.signer.keyid
    ? accept(undefined)
    : wrong('WRONG_CERTIFICATION', `the key ${keyid} is certified, and ours is ${signing.signer.keyid}`)
}

const checkCertificate = (
  { ca: caPem, certificate: pem, notAfter }: Enrolment,
  { ca: fingerprint, key, site, agent }: Expected,
): Result<void, AnswerRefusal> => {
  const ca = parse(caPem)
  if (ca === undefined || sha256(ca.raw) !== fingerprint)
    return wrong('WRONG_AUTHORITY', 'the authority in it is another one')
  const certificate = parse(pem)
  if (certificate?.verify(ca.publicKey) !== true)
    return wrong('WRONG_CERTIFICATE', 'the authority did not sign it')
  if (!certificate.checkPrivateKey(key.key)) return wrong('WRONG_CERTIFICATE', 'it is for another key')
  const names = (certificate.subjectAltName ?? '').split(', ')
  if (!names.includes(`URI:imlma://${site}/agent/${agent}`))
    return wrong('WRONG_CERTIFICATE', 'it is for another name')
  return certificate.validToDate.getTime() === notAfter
    ? accept(undefined)
    : wrong('WRONG_CERTIFICATE', 'it ends at another time than is said')
}

/** The last root of the chain, which begins with the one that the token names. */
const checkRoots = (
  [first, ...later]: readonly Envelope[],
  digest: string,
): Result<TrustRoot, AnswerRefusal> => {
  if (first === undefined || digestOfRoot(first) !== digest)
    return wrong('WRONG_ROOT', 'the chain of trust roots begins with another one')
  let root = openFirstRoot(first, verifySignature)
  for (const envelope of later) {
    if (root.ok) root = openNextRoot(root.value, envelope, verifySignature)
  }
  return root.ok ? root : wrong('WRONG_ROOT', root.refusal.message)
}

const parse = (pem: string): X509Certificate | undefined => {
  try {
    return new X509Certificate(pem)
  } catch {
    return undefined
  }
}

const wrong = <Code extends AnswerRefusal>(code: Code, message: string) =>
  refuse(
    code,
    `the answer of the control centre is refused: ${message}`,
    'ask whoever runs the control centre: nothing of the answer was kept',
  )
