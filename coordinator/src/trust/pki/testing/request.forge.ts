/** Certificate signing requests as an agent or anybody else may send them. For tests. */

import { generateKeyPairSync } from 'node:crypto'
import forge from 'node-forge'

export interface Requested {
  readonly csrPem: string
  /** PEM. */
  readonly privateKey: string
}

/** Of a fresh RSA key, asking for `commonName`. */
export const requestBy = (commonName: string, bits = 2_048): Requested => {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: bits })
  return requestOf(privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(), commonName)
}

export const requestOf = (privateKey: string, commonName: string): Requested => {
  const key = forge.pki.privateKeyFromPem(privateKey)
  const request = forge.pki.createCertificationRequest()
  request.publicKey = forge.pki.setRsaPublicKey(key.n, key.e)
  request.setSubject([{ name: 'commonName', value: commonName }])
  request.sign(key, forge.md.sha256.create())
  return { csrPem: forge.pki.certificationRequestToPem(request), privateKey }
}
