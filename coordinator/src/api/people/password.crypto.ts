/**
 * Passwords as Argon2id hashes (RFC 9106) of OpenSSL, in the PHC string format, so that the costs can be raised later
 * without a stored password becoming useless. A hash takes memory on purpose: only a few are worked out at a time, and
 * whoever comes when the queue is full is sent away.
 */

import { argon2, randomBytes, timingSafeEqual } from 'node:crypto'
import { accept, refuse, type Result } from '@imlma/protocol/result'

export interface PasswordOptions {
  /** KiB; with `passes`, the least that OWASP's Password Storage Cheat Sheet names for Argon2id with one lane. */
  readonly memoryKib?: number
  readonly passes?: number
  /** At a time: 2 × 19 MiB, and half of the pool of threads that files need as well. */
  readonly concurrentMax?: number
  /** Logins of a shift change; beyond, somebody tries passwords. */
  readonly waitingMax?: number
}

export interface Passwords {
  readonly hash: (password: string) => Promise<Result<string, 'BUSY'>>
  /** Takes as long without a `stored` hash as with one: a name that is unknown must not answer faster. */
  readonly verify: (password: string, stored: string | null) => Promise<Result<boolean, 'BUSY'>>
}

interface Terms {
  readonly memory: number
  readonly passes: number
  readonly nonce: Buffer
  readonly tag: Buffer
}

const tagBytes = 32
const nonceBytes = 16
/** Costs that a stored hash may name: one from a damaged database must not take the machine's memory. */
const memoryKibMax = 1_048_576
const passesMax = 32

export const createPasswords = ({
  memoryKib = 19_456,
  passes = 2,
  concurrentMax = 2,
  waitingMax = 16,
}: PasswordOptions = {}): Passwords => {
  const inQueue = createQueue(concurrentMax, waitingMax)
  const nobody: Terms = {
    memory: memoryKib,
    passes,
    nonce: randomBytes(nonceBytes),
    tag: randomBytes(tagBytes),
  }

  return {
    hash: (password) =>
      inQueue(async () => {
        const terms = { memory: memoryKib, passes, nonce: randomBytes(nonceBytes) }
        return toPhc({ ...terms, tag: await derive(password, terms) })
      }),
    verify: (password, stored) =>
      inQueue(async () => {
        const terms = stored === null ? undefined : parsePhc(stored)
        const { tag, ...rest } = terms ?? nobody
        return timingSafeEqual(await derive(password, rest), tag) && terms !== undefined
      }),
  }
}

/** One form for one password: an accent may be typed as one character or as two. */
const derive = (password: string, { memory, passes, nonce }: Omit<Terms, 'tag'>): Promise<Buffer> =>
  new Promise((resolve, reject) => {
    const message = Buffer.from(password.normalize('NFKC'))
    const parameters = { message, nonce, parallelism: 1, tagLength: tagBytes, memory, passes }
    argon2('argon2id', parameters, (error, key) => (error === null ? resolve(key) : reject(error)))
  })

const unpadded = (bytes: Buffer): string => bytes.toString('base64').replace(/=+$/, '')

const toPhc = ({ memory, passes, nonce, tag }: Terms): string =>
  `$argon2id$v=19$m=${memory},t=${passes},p=1$${unpadded(nonce)}$${unpadded(tag)}`

const form = /^\$argon2id\$v=19\$m=(\d{1,7}),t=(\d{1,2}),p=1\$([A-Za-z0-9+/]{22})\$([A-Za-z0-9+/]{43})$/

const parsePhc = (text: string): Terms | undefined => {
  const [, memory, passes, nonce, tag] = form.exec(text) ?? []
  if (memory === undefined || passes === undefined || nonce === undefined || tag === undefined)
    return undefined
  if (Number(memory) > memoryKibMax || Number(passes) > passesMax) return undefined
  return {
    memory: Number(memory),
    passes: Number(passes),
    nonce: Buffer.from(nonce, 'base64'),
    tag: Buffer.from(tag, 'base64'),
  }
}

const createQueue = (concurrentMax: number, waitingMax: number) => {
  const waiting: (() => void)[] = []
  let running = 0
  return async <Value>(work: () => Promise<Value>): Promise<Result<Value, 'BUSY'>> => {
    if (running >= concurrentMax) {
      if (waiting.length >= waitingMax) {
        return refuse('BUSY', 'too many people log in at this moment', 'try again in a few seconds')
      }
      // Whoever ends hands its place over: `running` stays as it is.
      await new Promise<void>((resolve) => waiting.push(resolve))
    } else running += 1
    try {
      return accept(await work())
    } finally {
      const next = waiting.shift()
      if (next === undefined) running -= 1
      else next()
    }
  }
}
