/**
 * What one fold writes: blocks, series and counters, each touched once however many batches belong to it. Everything
 * is gathered in memory until `write`, and belongs to the caller's transaction.
 */

import type { ReadingSeries } from '@imlma/protocol/wire'
import { blockOf, emptyBlock, firstSlotOf, mergeInto, toBlock, type Block } from './block.ts'
import type { Connection } from './readings-connection.sqlite.ts'
import { toBlockId } from './readings-migrations.ts'

/** Bytes of blocks held while folding; beyond, they are written and let go. */
const blockBytesMax = 33_554_432

/** Series whose row is remembered between folds: one entry takes about 200 bytes. */
const knownSeriesMax = 100_000

interface SeriesTally {
  readonly id: number
  readonly site: string
  readonly register: string
  readonly intervalMs: number
  agentId: number
  firstSlot: number
  lastSlot: number
  filled: number
  trainable: number
}

interface TouchedBlock extends Block {
  changed: boolean
}

export interface FoldTables {
  readonly merge: (site: string, agentId: number, series: ReadingSeries) => void
  /** Blocks read since the last `write`. */
  readonly touched: () => number
  readonly write: () => void
  readonly countUnreadable: () => void
  /** After a rollback: rows that were made are gone. */
  readonly forget: () => void
}

export const createFoldTables = (database: Connection): FoldTables => {
  // OR IGNORE also covers the bound on series: the row is then not there, and its values are counted, not kept.
  const insertSeries = database.prepare(
    'INSERT OR IGNORE INTO series (site, meter, register, interval_ms, agent_id) VALUES (?, ?, ?, ?, ?)',
  )
  const selectSeries = database
    .prepare<[string, string, string, number], number>(
      'SELECT id FROM series WHERE site = ? AND meter = ? AND register = ? AND interval_ms = ?',
    )
    .pluck()
  const updateSeries = database.prepare(
    `UPDATE series SET agent_id = :agentId, filled = filled + :filled,
       first_slot = min(coalesce(first_slot, :firstSlot), :firstSlot),
       last_slot = max(coalesce(last_slot, :lastSlot), :lastSlot)
     WHERE id = :id`,
  )
  const selectBlock = database.prepare<[number], Buffer>('SELECT cells FROM blocks WHERE id = ?').pluck()
  const writeBlock = database.prepare('INSERT OR REPLACE INTO blocks (id, cells) VALUES (?, ?)')
  const addToCounter = database.prepare(
    `INSERT INTO counters VALUES (:site, :register, :intervalMs, :trainable)
     ON CONFLICT DO UPDATE SET trainable = trainable + excluded.trainable`,
  )
  const addToQuarantine = database.prepare(
    'INSERT INTO quarantine_counts VALUES (?, 1) ON CONFLICT DO UPDATE SET batches = batches + 1',
  )

  const known = new Map<string, number>()
  const tallies = new Map<string, SeriesTally>()
  const blocks = new Map<number, TouchedBlock>()
  let blockBytes = 0
  let touched = 0

  const seriesId = (
    key: string,
    site: string,
    agentId: number,
    series: ReadingSeries,
  ): number | undefined => {
    const remembered = known.get(key)
    if (remembered !== undefined) return remembered
    const { meter, register, interval } = series
    insertSeries.run(site, meter, register, interval, agentId)
    const id = selectSeries.get(site, meter, register, interval)
    if (known.size >= knownSeriesMax) known.clear()
    if (id !== undefined) known.set(key, id)
    return id
  }

  const tallyOf = (site: string, agentId: number, series: ReadingSeries): SeriesTally | undefined => {
    const { meter, register, interval: intervalMs } = series
    const key = `${site}\n${meter}\n${register}\n${intervalMs}`
    const open = tallies.get(key)
    if (open !== undefined) return open
    const id = seriesId(key, site, agentId, series)
    if (id === undefined) return undefined
    const fresh = { id, site, register, intervalMs, agentId, filled: 0, trainable: 0 }
    const tally = { ...fresh, firstSlot: Number.POSITIVE_INFINITY, lastSlot: Number.NEGATIVE_INFINITY }
    tallies.set(key, tally)
    return tally
  }

  const touch = (id: number, block: number, intervalMs: number): TouchedBlock => {
    const held = blocks.get(id)
    if (held !== undefined) return held
    if (blockBytes > blockBytesMax) writeBlocks()
    touched += 1
    const stored = selectBlock.get(id)
    const views = stored === undefined ? emptyBlock(block, intervalMs) : toBlock(stored)
    const fresh = { ...views, changed: false }
    blocks.set(id, fresh)
    blockBytes += fresh.bytes.byteLength
    return fresh
  }

  const writeBlocks = (): void => {
    for (const [id, { bytes, changed }] of blocks) if (changed) writeBlock.run(id, bytes)
    blocks.clear()
    blockBytes = 0
  }

  const merge = (site: string, agentId: number, series: ReadingSeries): void => {
    const tally = tallyOf(site, agentId, series)
    if (tally === undefined) {
      addToQuarantine.run('TOO_MANY_SERIES')
      return
    }
    tally.agentId = agentId
    const { values, quality, interval } = series
    const firstSlot = series.start / interval
    for (let from = 0; from < values.length;) {
      const number = blockOf(firstSlot + from, interval)
      const to = Math.min(values.length, firstSlotOf(number + 1, interval) - firstSlot)
      const block = touch(toBlockId(tally.id, number), number, interval)
      const at = firstSlot + from - firstSlotOf(number, interval)
      const filled = mergeInto(block, at, values, quality, from, to)
      if (filled.changed) block.changed = true
      tally.filled += filled.slots
      tally.trainable += filled.trainable
      if (filled.slots > 0) {
        tally.firstSlot = Math.min(tally.firstSlot, firstSlot + firstFinite(values, from))
        tally.lastSlot = Math.max(tally.lastSlot, firstSlot + lastFinite(values, to))
      }
      from = to
    }
  }

  const write = (): void => {
    writeBlocks()
    const counters = new Map<string, Pick<SeriesTally, 'site' | 'register' | 'intervalMs' | 'trainable'>>()
    for (const { id, agentId, filled, firstSlot, lastSlot, ...counted } of tallies.values()) {
      if (filled > 0) updateSeries.run({ id, agentId, filled, firstSlot, lastSlot })
      const key = `${counted.site}\n${counted.register}\n${counted.intervalMs}`
      const before = counters.get(key)?.trainable ?? 0
      counters.set(key, { ...counted, trainable: before + counted.trainable })
    }
    for (const counter of counters.values()) if (counter.trainable > 0) addToCounter.run(counter)
    tallies.clear()
    touched = 0
  }

  const forget = (): void => {
    known.clear()
    tallies.clear()
    blocks.clear()
    blockBytes = 0
    touched = 0
  }

  return {
    merge,
    touched: () => touched,
    write,
    countUnreadable: () => addToQuarantine.run('UNREADABLE'),
    forget,
  }
}

const firstFinite = (values: Float32Array, from: number): number => {
  let i = from
  while (!Number.isFinite(values[i])) i += 1
  return i
}

const lastFinite = (values: Float32Array, to: number): number => {
  let i = to - 1
  while (!Number.isFinite(values[i])) i -= 1
  return i
}
