/**
 * Signing keys as files, one each, readable by their owner alone. A key that others could have read is refused:
 * nobody knows any more who signs with it.
 */

import { readFile, stat } from 'node:fs/promises'
import { z } from 'zod'
import {
  createMlDsaSigner,
  createSigner,
  generateKeyPair,
  generateMlDsaKeyPair,
  toKeyId,
} from '@imlma/protocol/node'
import { Failure } from '@imlma/protocol/result'
import {
  base64Schema,
  fromBase64,
  publicKeyLengths,
  roles,
  toBase64,
  type KeyScheme,
  type Role,
  type Signer,
} from '@imlma/protocol/trust'
import { writeOnce } from './write-once.fs.ts'

/** SHA-256 of the raw public key. */
const keyId = z.string().regex(/^[0-9a-f]{64}$/)

const keyFileSchema = z.object({
  v: z.literal(1),
  role: z.enum(roles),
  /** Whose key it is: names are people, and two keys of one name count once. */
  name: z.string().min(1).max(64),
  keyid: keyId,
  /** Raw Ed25519 keys, 32 bytes each, base64. */
  public: base64Schema(44).length(44),
  secret: base64Schema(44).length(44),
  /** The same holder's ML-DSA-65 key: 1,952 public bytes, and the seed of 32. */
  companion: z
    .object({
      scheme: z.literal('ml-dsa-65'),
      keyid: keyId,
      public: base64Schema(publicKeyLengths['ml-dsa-65']).length(publicKeyLengths['ml-dsa-65']),
      secret: base64Schema(44).length(44),
    })
    .optional(),
})
export type KeyFile = Readonly<z.infer<typeof keyFileSchema>>

/** `schemes` with `ml-dsa-65` makes the companion as well. */
export const newKey = (role: Role, name: string, schemes: readonly KeyScheme[] = ['ed25519']): KeyFile => {
  const { publicKey, secretKey } = generateKeyPair()
  return {
    v: 1,
    role,
    name,
    keyid: toKeyId(publicKey),
    public: toBase64(publicKey),
    secret: toBase64(secretKey),
    ...(schemes.includes('ml-dsa-65') ? { companion: newCompanion() } : {}),
  }
}

const newCompanion = () => {
  const { publicKey, secretKey } = generateMlDsaKeyPair()
  return {
    scheme: 'ml-dsa-65' as const,
    keyid: toKeyId(publicKey),
    public: toBase64(publicKey),
    secret: toBase64(secretKey),
  }
}

/** Mode 0600. Throws `Failure` KEY_EXISTS: a key is never overwritten. */
export const writeKeyFile = async (path: string, key: KeyFile): Promise<void> => {
  const written = await writeOnce(path, `${JSON.stringify(key, null, 2)}\n`, 0o600)
  if (written.ok) return
  throw new Failure('KEY_EXISTS', written.refusal.message, {
    hint: 'choose another file name, or move the old key away first',
  })
}

/** Throws `Failure` KEY_MISSING, KEY_EXPOSED, KEY_UNREADABLE. */
export const readKeyFile = async (path: string): Promise<KeyFile> => {
  const mode = await stat(path).then(
    (found) => found.mode,
    (cause: unknown) => {
      throw new Failure('KEY_MISSING', `there is no key file ${path}`, { cause, hint: 'check the path' })
    },
  )
  if ((mode & 0o077) !== 0) {
    throw new Failure('KEY_EXPOSED', `${path} can be read by others (mode ${(mode & 0o777).toString(8)})`, {
      hint: `chmod 600 ${path}, and replace the key if others may have read it`,
    })
  }
  try {
    const key = keyFileSchema.parse(JSON.parse(await readFile(path, 'utf8')))
    const signer = toSigner(key)
    if (belongs(key, signer) && (key.companion === undefined || belongs(key.companion, signer.companion))) {
      return key
    }
  } catch (cause) {
    throw unreadable(path, cause)
  }
  throw unreadable(path)
}

/** Signs with every key of the file. */
export const toSigner = ({ secret, companion }: Pick<KeyFile, 'secret' | 'companion'>): Signer => {
  const signer = createSigner(fromBase64(secret))
  return companion === undefined
    ? signer
    : { ...signer, companion: createMlDsaSigner(fromBase64(companion.secret)) }
}

const belongs = (
  key: { readonly keyid: string; readonly public: string },
  signer: Signer | undefined,
): boolean => signer?.keyid === key.keyid && toKeyId(fromBase64(key.public)) === key.keyid

const unreadable = (path: string, cause?: unknown): Failure =>
  new Failure('KEY_UNREADABLE', `${path} is no intact key file`, {
    cause,
    hint: 'restore the file, or make a new key and have it added to the trust root',
  })
