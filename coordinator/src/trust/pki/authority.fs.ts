/**
 * The certificate authority of a site, in `<dataDir>/trust/pki`: its key and certificate, what it issues, what it denies.
 * Made once; a start that was cut off is completed by the next one, and of two that make it at once both load the same.
 */

import {
  createPrivateKey,
  createPublicKey,
  generateKeyPair,
  X509Certificate,
  type KeyObject,
} from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { sha256 } from '@imlma/protocol/node'
import { accept, Failure, invariant, type Result } from '@imlma/protocol/result'
import { writeOnce } from '../write-once.fs.ts'
import { buildAuthority, buildLeaf, newSerial } from './certificate.forge.ts'
import { gatherDenials, openDeniedList, readDenials, writeDenial } from './denied.fs.ts'
import { orMissing, pkiBroken, readSecret } from './files.fs.ts'
import type { Identity } from './identity.ts'
import { buildRevocationList } from './revocation-list.forge.ts'
import { parseSigningRequest } from './signing-request.crypto.ts'

const dayMs = 86_400_000

/** As long as the trust root: gateways are in the field for longer than anyone plans. */
const authorityValidityMs = 3_650 * dayMs

export interface Issued {
  readonly certPem: string
  /** 32 hexadecimal digits, small letters. */
  readonly serial: string
  readonly notAfter: number
}

export interface Authority {
  readonly site: string
  readonly caPem: string
  /** SHA-256 of the certificate's DER. */
  readonly fingerprint: string
  /** Takes the public key from the request and everything else from `identity`. */
  readonly issue: (terms: {
    readonly csrPem: string
    readonly identity: Identity
    readonly validityMs: number
  }) => Result<Issued, 'BAD_REQUEST'>
  /** The same for a key that is known to be the holder's. */
  readonly certify: (publicKey: KeyObject, identity: Identity, validityMs: number) => Issued
  /** Durable on return. */
  readonly deny: (serial: string, reason: string, agent?: string) => Promise<void>
  /** The denials for programs that are not ours, PEM. */
  readonly revocationList: () => Promise<string>
  /** As of this moment, whoever denied. */
  readonly denied: () => ReadonlySet<string>
}

interface Options {
  readonly now?: () => number
}

/** `folder` is `<dataDir>/trust/pki`. */
export const authorityExists = async (folder: string): Promise<boolean> =>
  (await orMissing(readFile(join(folder, 'ca.pem')))) !== undefined

/** True when this call made it. */
export const createAuthority = async (
  folder: string,
  site: string,
  { now = Date.now }: Options = {},
): Promise<boolean> => {
  if (await authorityExists(folder)) return false
  const { privateKey } = await promisify(generateKeyPair)('rsa', { modulusLength: 3_072 })
  // Where a key is there already, that one counts.
  await writeOnce(
    join(folder, 'ca.key'),
    privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    0o600,
  )
  const key = await readCaKey(folder)
  const publicKey = createPublicKey(key)
  const pem = buildAuthority(site, key, { publicKey, now: now(), notAfter: now() + authorityValidityMs })
  await gatherDenials(folder)
  return (await writeOnce(join(folder, 'ca.pem'), pem, 0o644)).ok
}

/** Throws `Failure` PKI_MISSING, PKI_BROKEN, KEY_EXPOSED, KEY_MISSING. */
export const openAuthority = async (folder: string, { now = Date.now }: Options = {}): Promise<Authority> => {
  const caPath = join(folder, 'ca.pem')
  const { pem: caPem, certificate, site } = await readCa(folder)
  const key = await readCaKey(folder)
  if (!certificate.checkPrivateKey(key)) throw pkiBroken(caPath, 'does not belong to ca.key')
  await gatherDenials(folder)

  const certify: Authority['certify'] = (publicKey, identity, validityMs) => {
    invariant(identity.site === site, `the authority of ${site} issues for its own site alone`)
    const isReserved = identity.kind === 'agent' && identity.name.startsWith('_')
    invariant(!isReserved, 'names of agents do not begin with _: those are the control centre’s own')
    const serial = newSerial()
    // Whole seconds, as they are written; a leaf does not outlive its authority.
    const wanted = Math.min(now() + validityMs, certificate.validToDate.getTime())
    const notAfter = Math.floor(wanted / 1_000) * 1_000
    const certPem = buildLeaf({ pem: caPem, key }, identity, serial, { publicKey, now: now(), notAfter })
    return { certPem, serial, notAfter }
  }
  return {
    site,
    caPem,
    fingerprint: sha256(certificate.raw),
    certify,
    issue: ({ csrPem, identity, validityMs }) => {
      const publicKey = parseSigningRequest(csrPem)
      return publicKey.ok ? accept(certify(publicKey.value, identity, validityMs)) : publicKey
    },
    deny: (serial, reason, agent) => writeDenial(folder, { serial, reason, agent: agent ?? null, at: now() }),
    revocationList: async () => {
      const denials = await readDenials(folder)
      return buildRevocationList({ pem: caPem, key }, denials, now(), certificate.validToDate.getTime())
    },
    denied: openDeniedList(folder),
  }
}

/** The authority's certificate alone, for those who need no key. Throws `Failure` PKI_MISSING, PKI_BROKEN. */
export const readCa = async (folder: string) => {
  const path = join(folder, 'ca.pem')
  const pem = await orMissing(readFile(path, 'utf8'))
  if (pem === undefined) {
    throw new Failure('PKI_MISSING', `there is no certificate authority in ${folder}`, {
      hint: 'imlma pki init, or start the control centre with --tls',
    })
  }
  try {
    const certificate = new X509Certificate(pem)
    const site = certificate.toLegacyObject().subject.OU
    if (certificate.ca && typeof site === 'string') return { pem, certificate, site }
  } catch (cause) {
    throw pkiBroken(path, 'is no certificate', cause)
  }
  throw pkiBroken(path, 'is no certificate authority of ours')
}

const readCaKey = async (folder: string): Promise<KeyObject> => {
  const path = join(folder, 'ca.key')
  const pem = await readSecret(path)
  if (pem === undefined) {
    throw new Failure('KEY_MISSING', `there is no key file ${path}`, { hint: 'restore it from a backup' })
  }
  try {
    return createPrivateKey(pem)
  } catch (cause) {
    throw pkiBroken(path, 'is no key', cause)
  }
}
