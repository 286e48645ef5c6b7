/**
 * Key and certificate of a part of the control centre, in one file so that they always belong together. Opened again
 * and again they stay the same until a third of their life is left or the part is reached under other names.
 */

import { createPrivateKey, createPublicKey, generateKeyPair, X509Certificate } from 'node:crypto'
import { isIP } from 'node:net'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { writeDurably } from '@imlma/protocol/node'
import { openAuthority, readCa } from './authority.fs.ts'
import { readSecret } from './files.fs.ts'
import { toUri, type Identity } from './identity.ts'

/** The key lies beside the authority's own: a shorter life would protect nothing. */
const validityMs = 365 * 86_400_000

export interface TlsMaterial {
  readonly ca: string
  readonly cert: string
  readonly key: string
}

interface Options {
  readonly now?: () => number
  /** Its name in the folder, where one kind has several. */
  readonly file?: string
}

/**
 * As `node:tls` takes them. To serve for longer than a year, call it again now and then and hand what changed to
 * `setSecureContext`. Throws the `Failure`s of `openAuthority`; without the authority's key only where a new one is due.
 */
export const openTlsMaterial = async (
  folder: string,
  identity: Identity,
  { now = Date.now, file = `${identity.kind}.pem` }: Options = {},
): Promise<TlsMaterial> => {
  const { pem: ca, certificate } = await readCa(folder)
  const path = join(folder, file)
  const found = split(await readSecret(path))
  if (found !== undefined && serves(found, certificate, identity, now())) return { ca, ...found }
  const authority = await openAuthority(folder, { now })
  const { privateKey } = await promisify(generateKeyPair)('rsa', { modulusLength: 2_048 })
  const key = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
  const cert = authority.certify(createPublicKey(privateKey), identity, validityMs).certPem
  await writeDurably(path, `${key}${cert}`, 0o600)
  return { ca, cert, key }
}

type Pair = Pick<TlsMaterial, 'cert' | 'key'>

const split = (text: string | undefined): Pair | undefined => {
  const [key, cert, ...more] = text?.match(/-----BEGIN [A-Z ]+-----[^-]+-----END [A-Z ]+-----\n/g) ?? []
  return key === undefined || cert === undefined || more.length > 0 ? undefined : { key, cert }
}

const serves = ({ cert, key }: Pair, ca: X509Certificate, identity: Identity, now: number): boolean => {
  try {
    const found = new X509Certificate(cert)
    const { hosts = [] } = identity
    const [from, until] = [found.validFromDate.getTime(), found.validToDate.getTime()]
    return (
      found.verify(ca.publicKey) &&
      found.checkPrivateKey(createPrivateKey(key)) &&
      hosts.every((host) => (isIP(host) === 0 ? found.checkHost(host) : found.checkIP(host)) !== undefined) &&
      (found.subjectAltName ?? '').split(', ').includes(`URI:${toUri(identity)}`) &&
      until - now > (until - from) / 3
    )
  } catch {
    return false
  }
}
