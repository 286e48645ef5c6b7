/**
 * Is a packet of readings signed by a key that is certified as its agent's? Size and form first, then the key, its
 * certification's end and the deny list, and the signature last: it costs most. Ed25519 runs in Node's pool of threads.
 */

import { createHash, verify, type KeyObject } from 'node:crypto'
import { limits } from '@imlma/protocol/limits'
import { accept, refuse, type Result } from '@imlma/protocol/result'
import { claimedSignature, toSignedBytes, type BatchSignature } from '@imlma/protocol/trust'
import type { Address } from '@imlma/protocol/wire'
import type { AgentKeys } from './agent-keys.fs.ts'

interface Parts {
  readonly keys: AgentKeys
  /** Serials that are denied, at each call; throws where the list cannot be read. */
  readonly denied: () => ReadonlySet<string>
  /** Our own files cannot be read: batches are refused until they can be. At most once a minute. */
  readonly onTrouble: (error: unknown) => void
}

export type BatchSignatureRefusal =
  'TOO_LARGE' | 'NOT_SIGNED' | 'BAD_SIGNATURE' | 'UNKNOWN_KEY' | 'EXPIRED' | 'DENIED' | 'TRUST_UNREADABLE'

interface Verified extends BatchSignature {
  readonly expiresAt: number
  /** SHA-256 of the packet. */
  readonly digest: Uint8Array
}

const troublePauseMs = 60_000

type Answer = Result<Verified, BatchSignatureRefusal>

/** Never rejects. `at` is when the packet arrived, epoch ms. */
export const createBatchSignatures = ({ keys, denied, onTrouble }: Parts) => {
  let toldAt = -Infinity
  return async (agent: Address, packet: Uint8Array, at: number): Promise<Answer> => {
    if (packet.length > limits.packetBytesMax) {
      return refuse('TOO_LARGE', `${packet.length} bytes, at most ${limits.packetBytesMax} are read`)
    }
    const claimed = claimedSignature(packet)
    if (claimed === undefined) return refuse('NOT_SIGNED', 'the batch does not end with a signature', enrolIt)
    try {
      const out = denied()
      const found = await keys.find(
        agent,
        claimed.keyid,
        ({ serial, expiresAt }) => at < expiresAt && !out.has(serial),
      )
      if (found === undefined) {
        return refuse('UNKNOWN_KEY', `no key ${claimed.keyid} is certified for ${agent.agent}`, enrolIt)
      }
      const { serial, expiresAt } = found.certification
      if (at >= expiresAt) {
        return refuse('EXPIRED', `the key was certified until ${new Date(expiresAt).toISOString()}`, enrolIt)
      }
      if (out.has(serial)) return refuse('DENIED', `the certificate ${serial} is denied`, enrolIt)
      if (!(await isSignedBy(found.key, toSignedBytes(agent, packet), claimed.sig))) {
        return refuse('BAD_SIGNATURE', `not signed by key ${claimed.keyid} for ${agent.site}/${agent.agent}`)
      }
      return accept({ ...claimed, expiresAt, digest: createHash('sha256').update(packet).digest() })
    } catch (error) {
      if (Math.abs(at - toldAt) >= troublePauseMs) {
        toldAt = at
        onTrouble(error)
      }
      return refuse('TRUST_UNREADABLE', 'the trust of this site cannot be read')
    }
  }
}

const enrolIt = 'the gateway keeps its readings; if it is yours, enrol it anew: imlma pki token --agent NAME'

const isSignedBy = (key: KeyObject, bytes: Uint8Array, signature: Uint8Array): Promise<boolean> =>
  new Promise((resolve, reject) => {
    verify(null, bytes, key, signature, (error, isValid) =>
      error === null ? resolve(isValid) : reject(error),
    )
  })
