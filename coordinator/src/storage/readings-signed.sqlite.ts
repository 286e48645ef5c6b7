/**
 * What is kept of signed batches for good: position, sequence, key and digest of each, 50 bytes a batch, also after its
 * own bytes were pruned. Written inside the transaction that accepts; read by whoever traces a dataset back.
 */

import type { Connection } from './readings-connection.sqlite.ts'
import type { BatchProof, ReadingsReader, SignedBatch, SignedHistory } from './readings.ts'
import { emptyHead, extendHead } from './signed-head.crypto.ts'

/** The chain of one agent within a transaction. */
export interface SignedLedger {
  /** Batches in it: the position of the last one. */
  signed: number
  signedFirst: number
  signedLast: number
  head: Uint8Array | null
}

/** Key rows that are remembered: an agent has two while it changes its key. */
const keysRememberedMax = 8_192

export const createSigning = (database: Connection) => {
  const insertKey = database.prepare(
    'INSERT INTO signing_keys (agent_id, keyid, first_position) VALUES (?, ?, ?)',
  )
  const selectKey = database
    .prepare<[number, string], number>('SELECT id FROM signing_keys WHERE agent_id = ? AND keyid = ?')
    .pluck()
  const insertSigned = database.prepare('INSERT INTO signed_batches VALUES (?, ?, ?, ?, ?)')
  const keys = new Map<string, number>()

  const keyOf = (agent: number, keyid: string, position: number): number => {
    const name = `${agent}/${keyid}`
    const known = keys.get(name) ?? selectKey.get(agent, keyid)
    const id = known ?? Number(insertKey.run(agent, keyid, position).lastInsertRowid)
    if (keys.size >= keysRememberedMax) keys.clear()
    keys.set(name, id)
    return id
  }

  return {
    /** Appends a batch to its agent's chain. */
    append: (agent: number, ledger: SignedLedger, seq: number, { keyid, digest }: BatchProof): void => {
      const position = ledger.signed + 1
      insertSigned.run(agent, position, seq, keyOf(agent, keyid, position), digest)
      ledger.signedFirst = ledger.signed === 0 ? seq : Math.min(ledger.signedFirst, seq)
      ledger.signedLast = Math.max(ledger.signedLast, seq)
      ledger.signed = position
      ledger.head = extendHead(ledger.head ?? emptyHead, digest)
    },
    /** After a rollback: rows of keys may be gone. */
    forget: () => keys.clear(),
  }
}

interface HistoryRow {
  readonly id: number
  readonly batches: number
  readonly firstSeq: number
  readonly lastSeq: number
  readonly head: Buffer
}

export const createSignedReading = (
  database: Connection,
): Pick<ReadingsReader, 'signedHistory' | 'signedBatches'> => {
  const selectHistory = database.prepare<[string, string], HistoryRow>(
    `SELECT id, signed AS batches, signed_first AS firstSeq, signed_last AS lastSeq, signed_head AS head
     FROM agents WHERE site = ? AND agent = ? AND signed > 0`,
  )
  const selectKeys = database
    .prepare<[number, number], string>(
      'SELECT keyid FROM signing_keys WHERE agent_id = ? AND first_position <= ? ORDER BY first_position',
    )
    .pluck()
  const selectSigned = database.prepare<[string, string, number, number], SignedBatch>(
    `SELECT position, signed_batches.seq, keyid, digest, bytes
     FROM agents JOIN signed_batches ON signed_batches.agent_id = agents.id
       JOIN signing_keys ON signing_keys.id = key_id
       LEFT JOIN batches ON batches.agent_id = agents.id AND batches.seq = signed_batches.seq
     WHERE agents.site = ? AND agents.agent = ? AND position > ? ORDER BY position LIMIT ?`,
  )
  return {
    signedHistory: (site, agent): SignedHistory | undefined => {
      const row = selectHistory.get(site, agent)
      if (row === undefined) return undefined
      const { id, batches, firstSeq, lastSeq, head } = row
      return {
        batches,
        firstSeq,
        lastSeq,
        keyids: selectKeys.all(id, batches),
        head: head.toString('hex'),
      }
    },
    signedBatches: (site, agent, after, limit) => selectSigned.all(site, agent, after, limit),
  }
}
