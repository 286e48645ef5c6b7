/**
 * Is this a password that may be chosen? Length decides (NIST SP 800-63B, "Password Verifiers": length, no rules of
 * composition, no expiry); what is one character over and over, or the name again, is no secret at any length.
 */

import { accept, refuse, type Result } from '@imlma/protocol/result'

const lengthMin = 12
/** The hash takes any length; this bounds the work of whoever is not logged in yet. */
export const passwordLengthMax = 256

export const checkPassword = (password: string, user: string): Result<void, 'WEAK_PASSWORD'> => {
  const weak = (message: string) =>
    refuse('WEAK_PASSWORD' as const, message, 'four words that only you would put together are good')
  if (password.length < lengthMin) return weak(`a password has at least ${lengthMin} characters`)
  if (new Set(password.toLowerCase()).size < 4) return weak('the same characters over and over are no secret')
  if (password.toLowerCase().replaceAll(user, '').length < lengthMin / 2) return weak('the name is no secret')
  return accept(undefined)
}
