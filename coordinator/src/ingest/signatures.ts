/** Whose signature a batch must bear in a certified site, as ingest sees it. */

import type { Refusal, Result } from '@imlma/protocol/result'
import type { BatchSignature } from '@imlma/protocol/trust'
import type { Address } from '@imlma/protocol/wire'

/**
 * `UNKNOWN_KEY`: no key of this agent under that id is certified. `EXPIRED`: its certification has ended. `DENIED`: the
 * certificate that was issued with it is denied. `TRUST_UNREADABLE`: our own files cannot be read just now.
 */
export type SignatureRefusal =
  'TOO_LARGE' | 'NOT_SIGNED' | 'BAD_SIGNATURE' | 'UNKNOWN_KEY' | 'EXPIRED' | 'DENIED' | 'TRUST_UNREADABLE'

/** A signature that was verified over exactly the bytes of the packet. */
export interface VerifiedSignature extends BatchSignature {
  /** The key signs nothing from this moment on, epoch ms. */
  readonly expiresAt: number
  /** SHA-256 of the packet. */
  readonly digest: Uint8Array
}

/** Never rejects. `at` is when the packet arrived. */
export type VerifyBatchSignature = (
  agent: Address,
  packet: Uint8Array,
  at: number,
) => Promise<Result<VerifiedSignature, SignatureRefusal>>

/** An agent whose batches are refused, told at most once in a while for each agent and code. */
export type OnRefused = (agent: Address, refusal: Refusal) => void

/** Agents and codes that are remembered; beyond, some are told twice. */
const toldMax = 4_096

/** Passes on the first refusal of an agent with a code, and then one every `pauseMs`. */
export const bounded = (onRefused: OnRefused, pauseMs: number) => {
  const told = new Map<string, number>()
  return (agent: Address, refusal: Refusal, at: number): void => {
    const key = `${agent.site}/${agent.agent}/${refusal.code}`
    const before = told.get(key)
    if (before !== undefined && at - before < pauseMs) return
    if (told.size >= toldMax) told.clear()
    told.set(key, at)
    onRefused(agent, refusal)
  }
}
