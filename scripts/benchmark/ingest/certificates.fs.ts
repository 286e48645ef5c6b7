/** A certified site for the benchmark: a broker's door, and a certificate for each of the publishers, in a file for them. */

import { createPublicKey, generateKeyPairSync } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import {
  createAuthority,
  openAuthority,
  openDeniedList,
  openTlsMaterial,
  type TlsMaterial,
} from '@imlma/coordinator/trust/pki'
import { agentOf, site } from './load.ts'

const hourMs = 3_600_000

/** `file` holds what the publishers show. */
export const certify = async (folder: string, publishers: number) => {
  const pki = `${folder}/pki`
  await createAuthority(pki, site)
  const authority = await openAuthority(pki)
  // One key for all: making keys is not what is measured.
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2_048 })
  const key = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
  const shown = Array.from({ length: publishers }, (_, publisher): TlsMaterial => {
    const identity = { kind: 'agent', site, name: agentOf(publisher) } as const
    const { certPem } = authority.certify(createPublicKey(privateKey), identity, hourMs)
    return { ca: authority.caPem, cert: certPem, key }
  })
  const file = `${folder}/publishers.json`
  writeFileSync(file, JSON.stringify(shown), { mode: 0o600 })
  const own = { kind: 'broker', site, name: 'broker', hosts: ['localhost', '127.0.0.1'] } as const
  const material = await openTlsMaterial(pki, own)
  return { file, door: { host: '127.0.0.1', port: 0, material, denied: openDeniedList(pki) } }
}

/** Nothing where the file has no name. */
export const shownBy = (file: string, publisher: number): Partial<TlsMaterial> =>
  file === '' ? {} : ((JSON.parse(readFileSync(file, 'utf8')) as readonly TlsMaterial[])[publisher] ?? {})
