/**
 * Acceptance: each (agent, sequence) is stored once, in one transaction with the agent's coverage. What cannot be
 * taken goes to quarantine: the latest with their bytes, all of them in the counts.
 */

import { accept, refuse } from '@imlma/protocol/result'
import { limits } from '@imlma/protocol/limits'
import { parseCborMessage, readingBatchSchema, type ReadingBatch } from '@imlma/protocol/wire'
import {
  addSequence,
  declareOldest,
  hasRoomFor,
  isStored,
  type Coverage,
  type SequenceRange,
} from './coverage.ts'
import type { Connection } from './readings-connection.sqlite.ts'
import { createSigning, type SignedLedger } from './readings-signed.sqlite.ts'
import type { Acceptance, IncomingBatch, QuarantinedBatch, ReadingsStore } from './readings.ts'

/** Quarantined batches kept with their bytes: enough to see what is wrong, at most 256 packets of disk. */
const quarantineRowsMax = 256

/** Names and codes that refusals are counted for; a site has fewer agents. */
const refusalRowsMax = 4_096

interface AgentRow extends SignedLedger {
  readonly id: number
  readonly acknowledged: number
  readonly highest: number
  readonly lost: number
  readonly ahead: string
  readonly missing: string
}

/** One agent within a transaction. */
interface Ledger {
  readonly chain: SignedLedger
  readonly id: number
  coverage: Coverage
  batches: number
}

export const createAcceptance = (
  database: Connection,
  /** Told of every batch that was stored, inside the transaction. */
  onStored: (id: number, batch: ReadingBatch) => void,
): Pick<ReadingsStore, 'accept' | 'quarantine' | 'acknowledged'> => {
  const insertAgent = database.prepare(
    'INSERT INTO agents (site, agent) VALUES (?, ?) ON CONFLICT DO NOTHING',
  )
  const selectAgent = database.prepare<[string, string], AgentRow>(
    `SELECT id, acknowledged, highest, lost, ahead, missing, signed, signed_first AS signedFirst,
       signed_last AS signedLast, signed_head AS head FROM agents WHERE site = ? AND agent = ?`,
  )
  const updateAgent = database.prepare(
    `UPDATE agents SET acknowledged = ?, highest = ?, lost = ?, ahead = ?, missing = ?, batches = batches + ?,
       signed = ?, signed_first = ?, signed_last = ?, signed_head = ? WHERE id = ?`,
  )
  const insertBatch = database.prepare(
    'INSERT INTO batches (agent_id, seq, received_at, bytes) VALUES (?, ?, ?, ?)',
  )
  const selectBytes = database
    .prepare<[number, number], Buffer>('SELECT bytes FROM batches WHERE agent_id = ? AND seq = ?')
    .pluck()
  const insertQuarantine = database.prepare(
    'INSERT INTO quarantine (site, agent, seq, code, reason, received_at, bytes) VALUES (?, ?, ?, ?, ?, ?, ?)',
  )
  const countQuarantine = database.prepare(
    'INSERT INTO quarantine_counts VALUES (?, 1) ON CONFLICT DO UPDATE SET batches = batches + 1',
  )
  const countRefusal = database.prepare<[Record<string, unknown>]>(
    `INSERT INTO refusals SELECT :site, :agent, :code, 1, :at
     WHERE (SELECT count(*) FROM refusals) < ${refusalRowsMax}
       OR EXISTS (SELECT 1 FROM refusals WHERE site = :site AND agent = :agent AND code = :code)
     ON CONFLICT DO UPDATE SET batches = batches + 1, last_at = excluded.last_at`,
  )
  const trimQuarantine = database.prepare(
    `DELETE FROM quarantine WHERE id <= (SELECT max(id) FROM quarantine) - ${quarantineRowsMax}`,
  )
  const signing = createSigning(database)
  const selectAcknowledged = database
    .prepare<[string, string], number>('SELECT acknowledged FROM agents WHERE site = ? AND agent = ?')
    .pluck()

  /** Opens agents' ledgers, lets `work` change them, and writes back those that it used. */
  const withLedgers = <Value>(work: (ledgerOf: (site: string, agent: string) => Ledger) => Value): Value =>
    database
      .transaction(() => {
        const ledgers = new Map<string, Ledger>()
        const result = work((site, agent) => {
          const key = `${site}/${agent}`
          const open = ledgers.get(key) ?? openLedger(site, agent)
          ledgers.set(key, open)
          return open
        })
        for (const { id, coverage, batches, chain } of ledgers.values()) {
          const { acknowledged, highest, lost, ahead, missing } = coverage
          const { signed, signedFirst, signedLast, head } = chain
          const covered = [acknowledged, highest, lost, toJson(ahead), toJson(missing), batches]
          updateAgent.run(...covered, signed, signedFirst, signedLast, head, id)
        }
        return result
      })
      .immediate()

  const openLedger = (site: string, agent: string): Ledger => {
    insertAgent.run(site, agent)
    const { id, acknowledged, highest, lost, ahead, missing, ...chain } = selectAgent.get(site, agent)!
    const coverage = {
      acknowledged,
      highest,
      lost,
      ahead: fromJson(ahead),
      missing: fromJson(missing),
    }
    return { id, coverage, batches: 0, chain }
  }

  const acceptOne = (ledger: Ledger, incoming: IncomingBatch): Acceptance => {
    const { batch, bytes, receivedAt } = incoming
    const { seq } = batch
    // A batch exists, so its agent cannot have let go of it yet.
    const coverage = declareOldest(ledger.coverage, Math.min(batch.oldest ?? 1, seq))
    ledger.coverage = coverage
    if (isStored(coverage, seq)) {
      if (isSame(selectBytes.get(ledger.id, seq), bytes, batch)) {
        return accept({ duplicate: true, acknowledged: coverage.acknowledged })
      }
      const { site, agent } = incoming
      const reason = `other readings of ${agent} are stored under sequence ${seq}`
      keep({ site, agent, seq, code: 'SEQUENCE_CONFLICT', reason, receivedAt, bytes })
      return refuse(
        'SEQUENCE_CONFLICT',
        reason,
        'two agents may share one name, or one was restored from a copy',
      )
    }
    if (!hasRoomFor(coverage, seq)) {
      return refuse('TOO_MANY_GAPS', `sequences below ${seq} are missing in too many places`)
    }
    const { lastInsertRowid } = insertBatch.run(ledger.id, seq, receivedAt, bytes)
    onStored(Number(lastInsertRowid), batch)
    if (incoming.proof !== undefined) signing.append(ledger.id, ledger.chain, seq, incoming.proof)
    ledger.coverage = addSequence(coverage, seq)
    ledger.batches += 1
    return accept({ duplicate: false, acknowledged: ledger.coverage.acknowledged })
  }

  const keep = ({ site, agent, seq, code, reason, receivedAt, bytes }: QuarantinedBatch): void => {
    insertQuarantine.run(site, agent, seq, code, reason, receivedAt, bytes)
    countQuarantine.run(code)
    countRefusal.run({ site, agent, code, at: receivedAt })
    trimQuarantine.run()
  }

  return {
    accept: (batches) => {
      try {
        return withLedgers((ledgerOf) =>
          batches.map((batch) => acceptOne(ledgerOf(batch.site, batch.agent), batch)),
        )
      } catch (error) {
        signing.forget()
        throw error
      }
    },
    quarantine: (batches) =>
      withLedgers((ledgerOf) => {
        for (const batch of batches) {
          keep(batch)
          const { site, agent, seq } = batch
          if (seq === null) continue
          const ledger = ledgerOf(site, agent)
          if (hasRoomFor(ledger.coverage, seq)) ledger.coverage = addSequence(ledger.coverage, seq)
        }
      }),
    acknowledged: (site, agent) => selectAcknowledged.get(site, agent) ?? 0,
  }
}

/**
 * A batch is the same when its readings are: the header may differ between two sendings (`oldest` moves on). Bytes
 * that were pruned, or that are in quarantine, cannot be compared any more.
 */
const isSame = (stored: Uint8Array | undefined, bytes: Uint8Array, batch: ReadingBatch): boolean => {
  if (stored === undefined || Buffer.compare(stored, bytes) === 0) return true
  const before = parseCborMessage(readingBatchSchema, stored, limits.packetBytesMax)
  if (!before.ok || before.value.series.length !== batch.series.length) return false
  return before.value.series.every((one, i) => {
    const other = batch.series[i]!
    return (
      one.meter === other.meter &&
      one.register === other.register &&
      one.interval === other.interval &&
      one.start === other.start &&
      haveSameBytes(one.values, other.values) &&
      haveSameBytes(one.quality ?? new Uint8Array(), other.quality ?? new Uint8Array())
    )
  })
}

const haveSameBytes = (one: ArrayBufferView, other: ArrayBufferView): boolean =>
  Buffer.compare(toBytes(one), toBytes(other)) === 0

const toBytes = ({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array =>
  new Uint8Array(buffer, byteOffset, byteLength)

const toJson = (ranges: readonly SequenceRange[]): string =>
  JSON.stringify(ranges.map(({ first, last }) => [first, last]))

const fromJson = (text: string): readonly SequenceRange[] =>
  (JSON.parse(text) as [number, number][]).map(([first, last]) => ({ first, last }))
