/**
 * A technician's order, signed here. The key is read from its file, used and wiped; it is sent nowhere and kept nowhere.
 * What is signed is built by the same lines that `imlma` runs.
 */

import nacl from 'tweetnacl'
import { commandPayloadType, nextCounterAfter, toCommandDocument, type Order } from '@imlma/protocol/order'
import { fromBase64, sealEnvelope, type Envelope } from '@imlma/protocol/seal'

export interface SignedOrder {
  readonly envelope: Envelope
  readonly commandId: string
  /** Whose key it was. */
  readonly by: string
}

export interface SigningTerms {
  readonly now: number
  readonly commandId: string
  /** Highest counter of each key that this browser has signed, where it can be kept. */
  readonly counters: Pick<Storage, 'getItem' | 'setItem'>
}

interface KeyFile {
  readonly role: string
  readonly name: string
  readonly keyid: string
  readonly public: string
  readonly secret: string
}

/** `text` of a key file as `imlma keys new` writes it. Throws an error in words where it is none, or damaged. */
export const signOrder = async (
  text: string,
  order: Order,
  { now, commandId, counters }: SigningTerms,
): Promise<SignedOrder> => {
  const key = readKey(text)
  const seed = fromBase64(key.secret)
  const { publicKey, secretKey } = nacl.sign.keyPair.fromSeed(seed)
  try {
    if (toHex(publicKey) !== toHex(fromBase64(key.public)) || (await keyIdOf(publicKey)) !== key.keyid) {
      throw new Error('the key file is damaged: its two halves do not belong together')
    }
    const counter = nextCounterAfter(lastCounter(counters, key.keyid), now)
    counters.setItem(counterName(key.keyid), String(counter))
    const sign = (bytes: Uint8Array): Uint8Array => nacl.sign.detached(bytes, secretKey)
    const command = toCommandDocument(order, { now, commandId, counter })
    const envelope = sealEnvelope(commandPayloadType, command, [{ keyid: key.keyid, sign }])
    return { envelope, commandId, by: key.name }
  } finally {
    seed.fill(0)
    secretKey.fill(0)
  }
}

const readKey = (text: string): KeyFile => {
  let found: Partial<Record<string, unknown>>
  try {
    found = JSON.parse(text) as typeof found
  } catch {
    throw new Error('this is no key file: imlma keys new makes one')
  }
  const { role, name, keyid, public: publicKey, secret } = found
  const isKey = (value: unknown): value is string => typeof value === 'string' && /^[\w+/]{43}=$/.test(value)
  const isText = (value: unknown): value is string => typeof value === 'string'
  if (!isText(name) || !isText(keyid) || !isText(role) || !isKey(publicKey) || !isKey(secret)) {
    throw new Error('this is no key file: imlma keys new makes one')
  }
  if (role !== 'technician') throw new Error(`this is the key of role ${role}, a technician’s is needed`)
  return { role, name, keyid, public: publicKey, secret }
}

const counterName = (keyid: string): string => `imlma-counter-${keyid}`

const lastCounter = (counters: SigningTerms['counters'], keyid: string): number => {
  const last = Number(counters.getItem(counterName(keyid)) ?? 0)
  return Number.isSafeInteger(last) && last >= 0 ? last : 0
}

const keyIdOf = async (publicKey: Uint8Array): Promise<string> =>
  toHex(new Uint8Array(await crypto.subtle.digest('SHA-256', Uint8Array.from(publicKey))))

const toHex = (bytes: Uint8Array): string =>
  [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('')
