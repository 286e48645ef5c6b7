/** Tokens of machines: made once, shown once, known by their hash, good for some scopes until they expire or are revoked. */

import { accept, refuse, type Result } from '@imlma/protocol/result'
import type { StateStore } from '../../storage/states.ts'
import { tokenRecordSchema, type TokenRecord } from './records.ts'
import type { Scope } from './roles.ts'

export interface TokenParts {
  readonly states: Pick<StateStore, 'loadAll' | 'save'>
  readonly now: () => number
  readonly newSecret: () => string
  readonly digestOf: (secret: string) => string
}

export interface NewToken {
  readonly name: string
  readonly scopes: readonly Scope[]
  readonly validityMs: number
  readonly by: string
}

export interface Tokens {
  /** The secret is in the answer and nowhere else. Durable on return. */
  readonly make: (
    wish: NewToken,
  ) => Promise<Result<{ secret: string; token: TokenRecord }, 'TOO_MANY_TOKENS'>>
  /** A token by its secret's hash, while it is valid. */
  readonly find: (digest: string) => TokenRecord | undefined
  readonly revoke: (id: string) => Promise<Result<TokenRecord, 'UNKNOWN_TOKEN'>>
  /** Latest first. */
  readonly list: () => readonly TokenRecord[]
}

const room = 'tokens'
/** Valid ones; a site has collectors and pipelines, not a public. */
const validMax = 1_000

export const createTokens = async ({ states, now, newSecret, digestOf }: TokenParts): Promise<Tokens> => {
  const tokens = new Map(await states.loadAll(room, tokenRecordSchema))
  const isValid = ({ expiresAt, revokedAt }: TokenRecord): boolean => revokedAt === null && now() < expiresAt
  const keep = async (token: TokenRecord): Promise<void> => {
    await states.save(room, token.digest, token, now())
    tokens.set(token.digest, token)
  }
  return {
    make: async ({ name, scopes, validityMs, by }) => {
      if ([...tokens.values()].filter(isValid).length >= validMax) {
        return refuse(
          'TOO_MANY_TOKENS',
          `${validMax} tokens are valid already`,
          'revoke those that nobody uses',
        )
      }
      const secret = newSecret()
      const digest = digestOf(secret)
      const token: TokenRecord = {
        id: digest.slice(0, 12),
        digest,
        name,
        scopes: [...new Set(scopes)],
        createdAt: now(),
        createdBy: by,
        expiresAt: now() + validityMs,
        revokedAt: null,
      }
      await keep(token)
      return accept({ secret, token })
    },
    find: (digest) => {
      const token = tokens.get(digest)
      return token !== undefined && isValid(token) ? token : undefined
    },
    revoke: async (id) => {
      const token = [...tokens.values()].find((each) => each.id === id)
      if (token === undefined) return refuse('UNKNOWN_TOKEN', `there is no token ${id}`, 'imlma tokens list')
      const revoked = { ...token, revokedAt: token.revokedAt ?? now() }
      await keep(revoked)
      return accept(revoked)
    },
    list: () => [...tokens.values()].toSorted((a, b) => b.createdAt - a.createdAt),
  }
}
