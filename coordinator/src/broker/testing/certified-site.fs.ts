/** A certificate authority in a folder of its own, and clients with whatever certificate a test wants. For tests. */

import { createPublicKey, generateKeyPairSync } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  createAuthority,
  openAuthority,
  openDeniedList,
  openTlsMaterial,
  type Authority,
  type Identity,
  type TlsMaterial,
} from '../../trust/pki/index.ts'

const site = 'demo'

export interface Shown extends TlsMaterial {
  readonly serial: string
}

export interface CertifiedSite {
  readonly pki: string
  readonly authority: Authority
  readonly broker: TlsMaterial
  readonly denied: () => ReadonlySet<string>
  /** `issuedAt` makes one that has run out; what it stands for is believed of `ca`. */
  readonly show: (
    identity: Omit<Identity, 'site'>,
    options?: { readonly validityMs?: number; readonly issuedAt?: number },
  ) => Promise<Shown>
  readonly remove: () => Promise<void>
}

/** One key for all: keys take long to make, and nothing here depends on whose it is. */
const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2_048 })
const key = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()

export const createCertifiedSite = async (): Promise<CertifiedSite> => {
  const pki = await mkdtemp(join(tmpdir(), 'imlma-broker-'))
  await createAuthority(pki, site)
  const authority = await openAuthority(pki)
  return {
    pki,
    authority,
    broker: await openTlsMaterial(pki, {
      kind: 'broker',
      site,
      name: 'broker',
      hosts: ['localhost', '127.0.0.1'],
    }),
    denied: openDeniedList(pki),
    show: async (identity, { validityMs = 3_600_000, issuedAt = Date.now() } = {}) => {
      const issuer = await openAuthority(pki, { now: () => issuedAt })
      const { certPem, serial } = issuer.certify(
        createPublicKey(privateKey),
        { ...identity, site },
        validityMs,
      )
      return { ca: authority.caPem, cert: certPem, key, serial }
    },
    remove: () => rm(pki, { recursive: true, force: true }),
  }
}

export const agentNamed = (name: string) => ({ kind: 'agent', name }) as const
