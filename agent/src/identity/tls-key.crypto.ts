/**
 * The RSA key that this agent proves itself with in TLS: made here, kept here. It stays over renewals, so that key and
 * certificate, which are two files, belong together at any moment; a key that may be known is replaced by enrolling anew.
 */

import { createPrivateKey, createPublicKey, generateKeyPair, sign, type KeyObject } from 'node:crypto'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { readSecret, unreadable, writeSecret } from './secret.fs.ts'
import { createSigningRequest } from './signing-request.ts'
import { identityFolderOf } from './signing-key.fs.ts'

export interface TlsKey {
  /** PKCS #8. */
  readonly pem: string
  readonly key: KeyObject
}

const modulusLength = 2_048

const pathOf = (dataDir: string): string => join(identityFolderOf(dataDir), 'key.pem')

/** Undefined where this agent was never enrolled. Throws `Failure` KEY_EXPOSED, KEY_UNREADABLE. */
export const openTlsKey = async (dataDir: string): Promise<TlsKey | undefined> => {
  const path = pathOf(dataDir)
  const pem = await readSecret(path)
  if (pem === undefined) return undefined
  try {
    return { pem, key: createPrivateKey(pem) }
  } catch (cause) {
    throw unreadable(path, cause)
  }
}

/** The key that is there, or a new one, durable on return. Throws as `openTlsKey` and `writeSecret`. */
export const makeTlsKey = async (dataDir: string): Promise<TlsKey> => {
  const found = await openTlsKey(dataDir)
  if (found !== undefined) return found
  const { privateKey: key } = await promisify(generateKeyPair)('rsa', { modulusLength })
  const pem = key.export({ type: 'pkcs8', format: 'pem' }).toString()
  await writeSecret(pathOf(dataDir), pem)
  return { pem, key }
}

/** Asks for a certificate of this key. PEM. */
export const requestFor = (
  { key }: TlsKey,
  subject: { readonly agent: string; readonly site: string },
): string =>
  createSigningRequest(
    {
      publicKey: createPublicKey(key).export({ type: 'spki', format: 'der' }),
      sign: (bytes) => sign('sha256', bytes, key),
    },
    subject,
  )
