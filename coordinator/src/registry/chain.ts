/**
 * Events as a chain: each hash covers the event, its place, its time and the hash before it, so that nothing
 * before a known hash can be changed, removed, inserted or moved without every later hash being wrong.
 * The chain cannot know where it should end: that is what the head outside of the database is for.
 */

import { canonicalJson } from '@imlma/protocol/trust'
import { registryEventSchema, type ChainedEvent, type RegistryEvent } from './events.ts'
import type { ChainFault } from './registry.ts'

/** SHA-256 of a text in UTF-8, hexadecimal. */
export type Hash = (text: string) => string

/** The end of a chain: the last event's sequence and hash. */
export interface ChainHead {
  readonly seq: number
  readonly hash: string
}

/** A row as it lies in the database; `event` is canonical JSON. */
export interface StoredEvent {
  readonly seq: number
  readonly at: number
  readonly event: string
  readonly previousHash: string
  readonly hash: string
}

export const emptyHead: ChainHead = { seq: 0, hash: '0'.repeat(64) }

export const sameHead = (a: ChainHead, b: ChainHead): boolean => a.seq === b.seq && a.hash === b.hash

/** The events behind `head`, in order. The events come back as a reader of the stored text will see them. */
export const chainEvents = (
  head: ChainHead,
  events: readonly RegistryEvent[],
  at: number,
  hash: Hash,
): readonly ChainedEvent[] => {
  let { seq, hash: previousHash } = head
  return events.map((candidate) => {
    const event = JSON.parse(canonicalJson(registryEventSchema.parse(candidate))) as RegistryEvent
    seq += 1
    const link = { seq, at, previousHash, event }
    previousHash = hash(canonicalJson(link))
    return { ...link, hash: previousHash }
  })
}

export const toStoredEvent = ({ seq, at, event, previousHash, hash }: ChainedEvent): StoredEvent => ({
  seq,
  at,
  event: canonicalJson(event),
  previousHash,
  hash,
})

/** A row that was checked when it was written; `verify` checks it again. */
export const toChainedEvent = (row: StoredEvent): ChainedEvent => ({
  seq: row.seq,
  at: row.at,
  event: registryEventSchema.parse(JSON.parse(row.event)),
  previousHash: row.previousHash,
  hash: row.hash,
})

/** What is wrong with `row` as the event right behind `head`; undefined when it is the one that was written. */
export const faultOf = (head: ChainHead, row: StoredEvent, hash: Hash): ChainFault | undefined => {
  const fault = (message: string): ChainFault => ({ seq: Math.min(row.seq, head.seq + 1), message })
  if (row.seq > head.seq + 1) return fault(`event ${head.seq + 1} is missing, ${row.seq} follows ${head.seq}`)
  if (row.seq !== head.seq + 1) return fault(`event ${row.seq} stands behind ${head.seq}`)
  if (row.previousHash !== head.hash) {
    return fault(`event ${row.seq} does not follow the event before it: it was moved, inserted or replaced`)
  }
  const event = parseCanonical(row.event)
  if (event === undefined) return fault(`event ${row.seq} was changed: it is no longer canonical JSON`)
  const { seq, at, previousHash } = row
  return hash(canonicalJson({ seq, at, previousHash, event })) === row.hash
    ? undefined
    : fault(`event ${row.seq} was changed: its content does not have its hash`)
}

/** The value, when `text` is its one canonical form: no second key of a name, no other spelling, hides in it. */
const parseCanonical = (text: string): unknown => {
  try {
    const value: unknown = JSON.parse(text)
    return canonicalJson(value) === text ? value : undefined
  } catch {
    return undefined
  }
}
