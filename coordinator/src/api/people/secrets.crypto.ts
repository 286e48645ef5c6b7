/** Secrets that a machine keeps for somebody: random, 256 bits, and known here only by their hash. */

import { createHash, randomBytes } from 'node:crypto'

/** `imlma_` and what it is for, so that a secret in the wrong place is recognised (and cut out of a log). */
export const newSecret = (purpose: 'session' | 'token' | 'setup'): string =>
  `imlma_${purpose}_${randomBytes(32).toString('base64url')}`

/**
 * SHA-256 in hex. No salt and no slow hash: what has 256 random bits cannot be guessed, and looking a hash up tells a
 * clock nothing about the secret.
 */
export const digestOf = (secret: string): string => createHash('sha256').update(secret).digest('hex')
