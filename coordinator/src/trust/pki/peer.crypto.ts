/** What a certificate that TLS has verified says of its holder. Whether to believe it is TLS's matter, and was decided before. */

import type { X509Certificate } from 'node:crypto'
import { parseUri, type Identity } from './identity.ts'

/** Who a certificate speaks for: undefined where its names are not ours, or do not agree with each other. */
export const toIdentity = (certificate: X509Certificate): Identity | undefined => {
  const identity = parseUri(/(?:^|, )URI:([^,]+)/.exec(certificate.subjectAltName ?? '')?.[1] ?? '')
  const { CN, OU } = certificate.toLegacyObject().subject
  return identity !== undefined && CN === identity.name && OU === identity.site ? identity : undefined
}

/** As it stands in the list of denials. */
export const toSerial = ({ serialNumber }: X509Certificate): string => serialNumber.toLowerCase()
