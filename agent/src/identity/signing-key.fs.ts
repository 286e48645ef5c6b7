/**
 * The Ed25519 key with which this agent signs what it sends: made here, kept here, in the form of the control centre's
 * key files. That it is this agent's key the control centre certifies at enrolment.
 */

import { join } from 'node:path'
import { z } from 'zod'
import { createSigner, generateKeyPair, toKeyId } from '@imlma/protocol/node'
import { base64Schema, fromBase64, toBase64, type Signer } from '@imlma/protocol/trust'
import { readSecret, unreadable, writeSecret } from './secret.fs.ts'

const keyFileSchema = z.object({
  v: z.literal(1),
  role: z.literal('agent'),
  /** Of the agent. */
  name: z.string().min(1).max(64),
  /** SHA-256 of the raw public key. */
  keyid: z.string().regex(/^[0-9a-f]{64}$/),
  /** Raw Ed25519 keys, 32 bytes each, base64. */
  public: base64Schema(44).length(44),
  secret: base64Schema(44).length(44),
})

export interface SigningKey {
  readonly signer: Signer
  /** Raw public key, base64. */
  readonly public: string
}

/** Below the agent's data directory. */
export const identityFolderOf = (dataDir: string): string => join(dataDir, 'identity')

const pathOf = (dataDir: string): string => join(identityFolderOf(dataDir), 'signing.json')

/** Undefined where this agent was never enrolled. Throws `Failure` KEY_EXPOSED, KEY_UNREADABLE. */
export const openSigningKey = async (dataDir: string): Promise<SigningKey | undefined> => {
  const path = pathOf(dataDir)
  const text = await readSecret(path)
  if (text === undefined) return undefined
  const key = parse(text)
  const signer = key && createSigner(fromBase64(key.secret))
  const belongs = signer?.keyid === key?.keyid && key?.keyid === toKeyId(fromBase64(key?.public ?? ''))
  if (key === undefined || signer === undefined || !belongs) throw unreadable(path)
  return { signer, public: key.public }
}

/** The key that is there, or a new one for `agent`, durable on return. Throws as `openSigningKey` and `writeSecret`. */
export const makeSigningKey = async (dataDir: string, agent: string): Promise<SigningKey> => {
  const found = await openSigningKey(dataDir)
  if (found !== undefined) return found
  const { publicKey, secretKey } = generateKeyPair()
  const key: z.infer<typeof keyFileSchema> = {
    v: 1,
    role: 'agent',
    name: agent,
    keyid: toKeyId(publicKey),
    public: toBase64(publicKey),
    secret: toBase64(secretKey),
  }
  await writeSecret(pathOf(dataDir), `${JSON.stringify(key, null, 2)}\n`)
  return { signer: createSigner(secretKey), public: key.public }
}

const parse = (text: string): z.infer<typeof keyFileSchema> | undefined => {
  try {
    return keyFileSchema.parse(JSON.parse(text))
  } catch {
    return undefined
  }
}
