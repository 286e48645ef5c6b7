/** Looking at the readings: catalogue, counters, coverage, and ranges of a series. Writes nothing. */

import { invariant } from '@imlma/protocol/result'
import { blockOf, emptyQuality, firstSlotOf, toBlock } from './block.ts'
import type { Connection } from './readings-connection.sqlite.ts'
import { toBlockId } from './readings-migrations.ts'
import { createSignedReading } from './readings-signed.sqlite.ts'
import type { AgentCoverage, AgentRefusals, ReadingsReader, SeriesKey, SeriesRecord } from './readings.ts'

export const createReading = (database: Connection): Omit<ReadingsReader, 'close'> => {
  const selectCoverage = database.prepare<[], AgentCoverage>(
    'SELECT site, agent, acknowledged, highest, lost, batches FROM agents ORDER BY site, agent',
  )
  const selectFilled = database
    .prepare<[string, string, number], number>(
      'SELECT trainable FROM counters WHERE site = ? AND register = ? AND interval_ms = ?',
    )
    .pluck()
  const selectSeries = database.prepare<[Record<string, unknown>], SeriesRecord>(
    `SELECT series.site, meter, register, interval_ms AS intervalMs, agent, filled,
       first_slot * interval_ms AS firstAt, last_slot * interval_ms AS lastAt
     FROM series JOIN agents ON agents.id = agent_id
     WHERE filled > 0 AND (:site IS NULL OR series.site = :site) AND (:meter IS NULL OR meter = :meter)
       AND (:register IS NULL OR register = :register) AND (:intervalMs IS NULL OR interval_ms = :intervalMs)
     ORDER BY series.site, meter, register, interval_ms`,
  )
  const selectId = database
    .prepare<[string, string, string, number], number>(
      'SELECT id FROM series WHERE site = ? AND meter = ? AND register = ? AND interval_ms = ?',
    )
    .pluck()
  const selectBlocks = database.prepare<[number, number], { id: number; cells: Buffer }>(
    'SELECT id, cells FROM blocks WHERE id BETWEEN ? AND ? ORDER BY id',
  )
  const selectQuarantined = database.prepare<[], { code: string; batches: number }>(
    'SELECT code, batches FROM quarantine_counts ORDER BY code',
  )

  const selectRefusals = database.prepare<[], AgentRefusals>(
    'SELECT site, agent, code, batches, last_at AS lastAt FROM refusals ORDER BY last_at DESC',
  )

  const read = ({ site, meter, register, intervalMs }: SeriesKey, start: number, end: number) => {
    invariant(start % intervalMs === 0 && end % intervalMs === 0, 'a range is whole intervals')
    invariant(end >= start, 'a range ends after it starts')
    const firstSlot = start / intervalMs
    const count = end / intervalMs - firstSlot
    const values = new Float32Array(count).fill(Number.NaN)
    const quality = new Uint8Array(count).fill(emptyQuality)
    const series = count === 0 ? undefined : selectId.get(site, meter, register, intervalMs)
    if (series === undefined) return { values, quality }
    const origin = toBlockId(series, 0)
    const from = origin + blockOf(firstSlot, intervalMs)
    const to = origin + blockOf(firstSlot + count - 1, intervalMs)
    for (const { id, cells } of selectBlocks.iterate(from, to)) {
      const block = toBlock(cells)
      const at = firstSlotOf(id - origin, intervalMs) - firstSlot
      const first = Math.max(0, -at)
      const last = Math.min(block.values.length, count - at)
      values.set(block.values.subarray(first, last), at + first)
      quality.set(block.quality.subarray(first, last), at + first)
    }
    return { values, quality }
  }

  return {
    coverage: () => selectCoverage.all(),
    filled: (site, register, intervalMs) => selectFilled.get(site, register, intervalMs) ?? 0,
    series: ({ site = null, meter = null, register = null, intervalMs = null }: NullableKey) =>
      selectSeries.all({ site, meter, register, intervalMs }),
    read,
    quarantined: () =>
      Object.fromEntries(selectQuarantined.all().map(({ code, batches }) => [code, batches])),
    refusals: () => selectRefusals.all(),
    ...createSignedReading(database),
  }
}

type NullableKey = { readonly [Field in keyof SeriesKey]?: SeriesKey[Field] | null }
