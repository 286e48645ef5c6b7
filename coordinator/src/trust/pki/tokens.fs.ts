/**
 * Enrolment tokens: one use, expiring, bound to one agent. A token is a file `tokens/<id>.json` that holds a hash of its
 * secret; its use is a second file that can be made only once, on disk before anything is issued. So the command line
 * makes tokens while the control centre takes them, and a crash at any moment leaves a used token used.
 */

import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import { readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { accept, Failure, invariant, refuse, type Result } from '@imlma/protocol/result'
import { epochMsSchema, nameSchema, sha256Schema } from '@imlma/protocol/wire'
import { writeOnce } from '../write-once.fs.ts'
import { pkiBroken, readDocument } from './files.fs.ts'
import { tokenValidityMs } from './token-terms.ts'

/** More than any fleet enrols at once; they are files of one folder. */
const tokensMax = 10_000
/** An expired token is remembered so long, to be told from one that never was. */
const keptMs = 7 * 86_400_000

const tokenSchema = z.object({
  v: z.literal(1),
  agent: nameSchema,
  hash: sha256Schema,
  issuedAt: epochMsSchema,
  expiresAt: epochMsSchema,
})
type StoredToken = z.infer<typeof tokenSchema>

const useSchema = z.object({ v: z.literal(1), key: sha256Schema, usedAt: epochMsSchema })

export type TokenRefusal = 'TOKEN_UNKNOWN' | 'TOKEN_EXPIRED' | 'TOKEN_USED' | 'WRONG_TARGET'

export interface TokenView {
  readonly id: string
  readonly agent: string
  readonly issuedAt: number
  readonly expiresAt: number
  readonly usedAt: number | null
}

export interface Tokens {
  /** Durable on return; the secret is kept by nobody but the caller. */
  readonly create: (agent: string, validityMs: number) => Promise<{ secret: string; expiresAt: number }>
  /**
   * Uses the token up for the key whose hash is given, durable on return. The same key may come again while the token
   * lasts: the answer to its first request may have been lost.
   */
  readonly use: (
    secret: string,
    agent: string,
    keySha256: string,
  ) => Promise<Result<{ id: string }, TokenRefusal>>
  readonly list: () => Promise<readonly TokenView[]>
}

export const createTokens = (folder: string, now: () => number): Tokens => {
  const tokens = join(folder, 'tokens')
  const pathOf = (id: string): string => join(tokens, `${id}.json`)
  const usePathOf = (id: string): string => join(tokens, `${id}.used.json`)

  const idsIn = async (): Promise<readonly string[]> =>
    (await readdir(tokens).catch(() => [])).flatMap(
      (name) => /^([A-Za-z0-9_-]{11})\.json$/.exec(name)?.[1] ?? [],
    )

  const prune = async (ids: readonly string[]): Promise<number> => {
    let kept = 0
    for (const id of ids) {
      const token = await readDocument(pathOf(id), tokenSchema)
      if (token !== undefined && token.expiresAt + keptMs > now()) kept += 1
      // The token first: a mark of use without a token lets nobody in, a token without its mark would.
      else await rm(pathOf(id), { force: true }).then(() => rm(usePathOf(id), { force: true }))
    }
    return kept
  }

  const find = async (secret: string): Promise<StoredToken | undefined> => {
    if (!secretPattern.test(secret)) return undefined
    const token = await readDocument(pathOf(idOf(secret)), tokenSchema)
    return token !== undefined && timingSafeEqual(hashOf(secret), Buffer.from(token.hash, 'hex'))
      ? token
      : undefined
  }

  return {
    create: async (agent, validityMs) => {
      const { min, max } = tokenValidityMs
      invariant(validityMs >= min && validityMs <= max, 'a token is valid for a minute to thirty days')
      if ((await prune(await idsIn())) >= tokensMax) {
        throw new Failure('TOO_MANY_TOKENS', `${tokensMax} enrolment tokens are kept already`, {
          hint: 'wait until some have expired: seven days later they are gone',
        })
      }
      const secret = randomBytes(32).toString('base64url')
      const issuedAt = now()
      const token = {
        v: 1,
        agent,
        hash: hashOf(secret).toString('hex'),
        issuedAt,
        expiresAt: issuedAt + validityMs,
      }
      const written = await writeOnce(
        pathOf(idOf(secret)),
        `${JSON.stringify(tokenSchema.parse(token))}\n`,
        0o600,
      )
      invariant(written.ok, 'random tokens differ')
      return { secret, expiresAt: token.expiresAt }
    },
    use: async (secret, agent, keySha256) => {
      const token = await find(secret)
      if (token === undefined) return refuse('TOKEN_UNKNOWN', 'no such token', anew(agent))
      if (token.agent !== agent)
        return refuse('WRONG_TARGET', `the token is for another agent than ${agent}`, anew(agent))
      if (now() >= token.expiresAt) return refuse('TOKEN_EXPIRED', 'the token has expired', anew(agent))
      const id = idOf(secret)
      const use = JSON.stringify({ v: 1, key: keySha256, usedAt: now() })
      if ((await writeOnce(usePathOf(id), `${use}\n`, 0o600)).ok) return accept({ id })
      const used = await readDocument(usePathOf(id), useSchema)
      if (used === undefined) throw pkiBroken(usePathOf(id), 'has vanished')
      return used.key === keySha256
        ? accept({ id })
        : refuse('TOKEN_USED', 'the token was used already, with another key', anew(agent))
    },
    list: async () => {
      const views: TokenView[] = []
      for (const id of await idsIn()) {
        const token = await readDocument(pathOf(id), tokenSchema)
        const used = await readDocument(usePathOf(id), useSchema)
        if (token === undefined) continue
        const { agent, issuedAt, expiresAt } = token
        views.push({ id, agent, issuedAt, expiresAt, usedAt: used?.usedAt ?? null })
      }
      return views.toSorted((a, b) => a.issuedAt - b.issuedAt)
    },
  }
}

const secretPattern = /^[A-Za-z0-9_-]{43}$/

/** 66 of the secret's 256 bits name the file; those that are left are no easier to guess for it. */
const idOf = (secret: string): string => secret.slice(0, 11)

const hashOf = (secret: string): Buffer => createHash('sha256').update(secret).digest()

const anew = (agent: string): string => `make a new one: imlma pki token --agent ${agent}`
