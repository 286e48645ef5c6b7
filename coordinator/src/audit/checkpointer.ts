/**
 * Signs now and then where the registry's chain stands. The director's key does it: the one key that is at work here all
 * day, and under a payload type of its own it assigns nothing. Whoever has the disk and not that key can rewrite only what
 * came after the latest checkpoint, and nothing of which somebody keeps a copy elsewhere.
 */

import { emptyAuditHead, sealCheckpoint, type AuditHead } from '@imlma/protocol/audit'
import type { Envelope, Signer } from '@imlma/protocol/trust'
import { protocolVersion } from '@imlma/protocol/wire'
import type { Registry } from '../registry/registry.ts'

/** The registry's chain, as a checkpoint names it. */
export const registryLog = 'registry'

export interface CheckpointerParts {
  readonly registry: Pick<Registry, 'append' | 'latestEvents' | 'subscribe'>
  readonly write: (envelope: Envelope) => Promise<void>
  readonly signer: () => Signer
  readonly now: () => number
}

export interface CheckpointerOptions {
  readonly site: string
  /** Events, and milliseconds, after which the end is signed again. */
  readonly everyEvents?: number
  readonly everyMs?: number
}

export interface Checkpointer {
  /** Signs when it is time to. */
  readonly look: () => Promise<void>
  /** Signs what is not signed yet. */
  readonly stop: () => Promise<void>
}

export const createCheckpointer = async (
  { registry, write, signer, now }: CheckpointerParts,
  { site, everyEvents = 1_000, everyMs = 3_600_000 }: CheckpointerOptions,
): Promise<Checkpointer> => {
  const [latest] = await registry.latestEvents(1)
  let head: AuditHead = latest ?? emptyAuditHead
  /** Events since the latest checkpoint; those of an earlier process are unknown, and signed soon. */
  let unsigned = latest === undefined || latest.event.kind === 'checkpoint-signed' ? 0 : everyEvents
  let signedAt = now()
  const end = registry.subscribe(({ seq, hash, event }) => {
    head = { seq, hash }
    if (event.kind !== 'checkpoint-signed') unsigned += 1
  })

  const sign = async (): Promise<void> => {
    const [at, by, counted] = [now(), signer(), unsigned]
    const { seq, hash } = head
    const envelope = sealCheckpoint(
      { v: protocolVersion, site, agent: null, log: registryLog, head: { seq, hash }, at },
      by,
    )
    await write(envelope)
    await registry.append([{ kind: 'checkpoint-signed', seq, head: hash, keyid: by.keyid, envelope }], at)
    unsigned -= counted
    signedAt = at
  }

  return {
    look: async () => {
      if (unsigned >= everyEvents || (unsigned > 0 && now() - signedAt >= everyMs)) await sign()
    },
    stop: async () => {
      end()
      if (unsigned > 0) await sign()
    },
  }
}
