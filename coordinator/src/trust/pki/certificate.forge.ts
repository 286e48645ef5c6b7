/**
 * Builds the certificates of a site: who is named, for what, how long. node-forge writes the structure; the signature
 * is made by OpenSSL, forty times faster than in JavaScript. Nothing is decided by what is read here.
 */

import { randomBytes, sign, type KeyObject } from 'node:crypto'
import { isIP } from 'node:net'
import forge from 'node-forge'
import type { Identity } from './identity.ts'
import { toUri } from './identity.ts'

/** Clocks of gateways are a little behind: a certificate is valid for them at once. */
const backdatedMs = 5 * 60_000

interface Terms {
  readonly publicKey: KeyObject
  readonly now: number
  readonly notAfter: number
}

export interface Issuer {
  readonly pem: string
  readonly key: KeyObject
}

/** 128 bits, positive, and always 32 digits long: what OpenSSL prints of it is the same text in capitals. */
export const newSerial = (): string => {
  const bytes = randomBytes(16)
  bytes[0] = ((bytes[0] ?? 0) & 0x3f) | 0x40
  return bytes.toString('hex')
}

/** Signs itself; issues leaves only. PEM. */
export const buildAuthority = (site: string, key: KeyObject, terms: Terms): string => {
  const certificate = draft(newSerial(), terms)
  const name = toName(`imlma ${site} authority`, site)
  certificate.setSubject(name)
  certificate.setIssuer(name)
  certificate.setExtensions([
    { name: 'basicConstraints', critical: true, cA: true, pathLenConstraint: 0 },
    { name: 'keyUsage', critical: true, keyCertSign: true, cRLSign: true },
    { name: 'subjectKeyIdentifier' },
  ])
  return seal(certificate, key)
}

/** An agent may only be a client: its certificate cannot stand for a broker. Parts of the control centre are both. */
export const buildLeaf = (issuer: Issuer, identity: Identity, serial: string, terms: Terms): string => {
  const certificate = draft(serial, terms)
  const authority = forge.pki.certificateFromPem(issuer.pem)
  certificate.setSubject(toName(identity.name, identity.site))
  certificate.setIssuer(authority.subject.attributes)
  certificate.setExtensions([
    { name: 'basicConstraints', critical: true, cA: false },
    { name: 'keyUsage', critical: true, digitalSignature: true },
    { name: 'extKeyUsage', clientAuth: true, ...(identity.kind === 'agent' ? {} : { serverAuth: true }) },
    { name: 'subjectAltName', altNames: [{ type: 6, value: toUri(identity) }, ...toAltNames(identity)] },
    { name: 'subjectKeyIdentifier' },
    {
      name: 'authorityKeyIdentifier',
      keyIdentifier: authority.generateSubjectKeyIdentifier().getBytes(),
    },
  ])
  return seal(certificate, issuer.key)
}

const draft = (serial: string, { publicKey, now, notAfter }: Terms): forge.pki.Certificate => {
  const certificate = forge.pki.createCertificate()
  certificate.serialNumber = serial
  certificate.publicKey = forge.pki.publicKeyFromPem(
    publicKey.export({ type: 'spki', format: 'pem' }).toString(),
  )
  certificate.validity.notBefore = new Date(now - backdatedMs)
  certificate.validity.notAfter = new Date(notAfter)
  return certificate
}

const toName = (commonName: string, site: string): forge.pki.CertificateField[] => [
  { name: 'commonName', value: commonName },
  { name: 'organizationalUnitName', value: site },
  { name: 'organizationName', value: 'imlma' },
]

const toAltNames = ({ hosts = [] }: Identity) =>
  hosts.map((host) => (isIP(host) === 0 ? { type: 2, value: host } : { type: 7, ip: host }))

const seal = (certificate: forge.pki.Certificate, key: KeyObject): string => {
  // forge hands its hook a digest that it has worked out itself; OpenSSL is given the bytes and does both.
  const hook = {
    sign: () => {
      const bytes = forge.asn1.toDer(certificate.tbsCertificate).getBytes()
      return sign('sha256', Buffer.from(bytes, 'binary'), key).toString('binary')
    },
  }
  certificate.sign(hook as unknown as forge.pki.rsa.PrivateKey, forge.md.sha256.create())
  return forge.pki.certificateToPem(certificate).replaceAll('\r\n', '\n')
}
