/**
 * The denials in the form that other programs read: a certificate revocation list (RFC 5280, "CRL and CRL Extensions
 * Profile"; version 1, as there is nothing to extend). Built by node-forge, signed by OpenSSL.
 */

import { sign } from 'node:crypto'
import forge from 'node-forge'
import type { Issuer } from './certificate.forge.ts'

export interface Revoked {
  readonly serial: string
  readonly at: number
}

/** PEM. `until`: a list that has run out refuses everybody, so it lasts as long as the authority. */
export const buildRevocationList = (
  issuer: Issuer,
  revoked: readonly Revoked[],
  now: number,
  until: number,
): string => {
  const algorithm = sequence(
    primitive(
      forge.asn1.Type.OID,
      forge.asn1.oidToDer(String(forge.pki.oids.sha256WithRSAEncryption)).getBytes(),
    ),
    primitive(forge.asn1.Type.NULL, ''),
  )
  const entries = revoked.map(({ serial, at }) =>
    sequence(primitive(forge.asn1.Type.INTEGER, forge.util.hexToBytes(serial)), timeOf(at)),
  )
  const signed = sequence(
    algorithm,
    forge.pki.distinguishedNameToAsn1(forge.pki.certificateFromPem(issuer.pem).subject),
    timeOf(now),
    timeOf(until),
    ...(entries.length > 0 ? [sequence(...entries)] : []),
  )
  const bytes = Buffer.from(forge.asn1.toDer(signed).getBytes(), 'binary')
  const signature = sign('sha256', bytes, issuer.key).toString('binary')
  const list = sequence(signed, algorithm, primitive(forge.asn1.Type.BITSTRING, `\0${signature}`))
  const body = forge.asn1.toDer(list).getBytes()
  return forge.pem.encode({ type: 'X509 CRL', body }).replaceAll('\r\n', '\n')
}

const sequence = (...values: forge.asn1.Asn1[]): forge.asn1.Asn1 =>
  forge.asn1.create(forge.asn1.Class.UNIVERSAL, forge.asn1.Type.SEQUENCE, true, values)

const primitive = (type: forge.asn1.Type, value: string): forge.asn1.Asn1 =>
  forge.asn1.create(forge.asn1.Class.UNIVERSAL, type, false, value)

/** As RFC 5280 has it: two digits for the year before 2050, four from then on. */
const timeOf = (at: number): forge.asn1.Asn1 => {
  const date = new Date(at)
  return date.getUTCFullYear() < 2_050
    ? primitive(forge.asn1.Type.UTCTIME, forge.asn1.dateToUtcTime(date))
    : primitive(forge.asn1.Type.GENERALIZEDTIME, forge.asn1.dateToGeneralizedTime(date))
}
