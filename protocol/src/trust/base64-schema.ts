/**
 * Base64 from outside, in its one canonical form: padded, no white space, and no bits set that belong to no byte. Two
 * spellings of the same signature would be two documents for whoever compares texts.
 */

import { z } from 'zod'

const canonical = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/][AQgw]==|[A-Za-z0-9+/]{2}[AEIMQUYcgkosw048]=)?$/

/** At most `lengthMax` characters; the length is looked at first. */
export const base64Schema = (lengthMax: number) =>
  z.string().max(lengthMax, { abort: true }).regex(canonical, 'not canonical base64')
