/**
 * The chain over the signed batches of one agent, in the order in which they were stored: one digest stands for all of
 * them, and none can be left out, added or exchanged afterwards.
 *
 *   head₀ = 32 zero bytes      headₙ = SHA-256(headₙ₋₁ ‖ SHA-256(packet of batch n))
 */

import { createHash } from 'node:crypto'

export const emptyHead: Uint8Array = new Uint8Array(32)

export const extendHead = (head: Uint8Array, digest: Uint8Array): Uint8Array =>
  createHash('sha256').update(head).update(digest).digest()
