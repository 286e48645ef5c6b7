/** When a certificate is to be renewed, and what is the matter with it. */

export interface Validity {
  /** Epoch ms. */
  readonly from: number
  readonly until: number
}

/** Agents that were enrolled in one hour do not all ask in the same one: up to this part of the life later. */
const spread = 0.02

/**
 * Epoch ms from which on a new one is asked for: from two thirds of the life on, when the control centre gives one, a
 * little later for some. `share` is 0 to 1, drawn once a certificate.
 */
const renewableFrom = ({ from, until }: Validity, share: number): number =>
  until - (until - from) * (1 / 3 - spread * share)

export type Standing = 'valid' | 'due' | 'expired'

/** By this machine's clock, which may be wrong: it decides when to ask and what to say, never whether to connect. */
export const standingOf = (validity: Validity, share: number, now: number): Standing => {
  if (now >= validity.until) return 'expired'
  return now >= renewableFrom(validity, share) ? 'due' : 'valid'
}
