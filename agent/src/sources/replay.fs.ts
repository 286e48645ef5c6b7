/**
 * A file of readings as a feed: streamed, never held whole. A feed that goes on after a restart reads over what it has
 * sent. Columns may each have a register of their own: a temperature beside loads is a covariate.
 */

import { dayMs } from '@imlma/protocol/series'
import { Failure } from '@imlma/protocol/result'
import { toBlockSlots, type Feed, type FeedBlock } from './feed.ts'
import type { FileInspection } from './file-plan.ts'
import { createRowReader, type SlotRow } from './row-reader.ts'
import { readRows } from './rows.csv.ts'

export interface ReplayOptions {
  /** Register of every column that `registers` does not name. */
  readonly register?: string
  /** Register by column name. */
  readonly registers?: Readonly<Record<string, string>>
  /** Days from the start of the file that are sent at once, as history. */
  readonly historyDays?: number
}

export const replayDefaults = { register: 'value', historyDays: 28 } as const

/** A block of a file holds so many slots at most: two weeks of quarter hours. */
const slotsMax = 1_344

export const createReplayFeed = (file: FileInspection, options: ReplayOptions = {}): Feed => {
  const { intervalMs, columns, firstAt } = file
  const { register = replayDefaults.register, registers = {} } = options
  const historyMs = (options.historyDays ?? replayDefaults.historyDays) * dayMs
  const slots = toBlockSlots(columns.length, slotsMax)

  async function* blocks(from: number): AsyncGenerator<FeedBlock> {
    let block = createBlock(columns.length, slots, intervalMs)
    for await (const row of readSlots(file)) {
      if (row.at < from) continue
      if (!block.put(row)) {
        yield block.take()
        block = createBlock(columns.length, slots, intervalMs)
        block.put(row)
      }
    }
    if (block.slots() > 0) yield block.take()
  }

  return {
    intervalMs,
    series: columns.map(({ name, meter, unit }) => ({
      meter,
      register: registers[name] ?? register,
      intervalMs,
      unit,
    })),
    begin: () => ({ liveFrom: firstAt + Math.floor(historyMs / intervalMs) * intervalMs, next: firstAt }),
    blocks,
  }
}

/** Throws `Failure` with the code of the refusal: the file is another than the one that was inspected. */
async function* readSlots(file: FileInspection): AsyncGenerator<SlotRow> {
  const reader = createRowReader(file)
  let isHeader = true
  for await (const row of readRows(file.path, file.delimiter)) {
    if (isHeader) {
      isHeader = false
      continue
    }
    const slot = reader.read(row)
    if (!slot.ok) {
      const { code, message, hint } = slot.refusal
      throw new Failure(code, message, hint === undefined ? {} : { hint })
    }
    if (slot.value !== undefined) yield slot.value
  }
}

/** Collects rows; a gap within the block is missing values, a gap beyond it ends the block. */
const createBlock = (columnCount: number, slots: number, intervalMs: number) => {
  const values = Array.from({ length: columnCount }, () => new Float32Array(slots).fill(Number.NaN))
  let start: number | undefined
  let filled = 0
  return {
    slots: () => filled,
    put: (row: SlotRow): boolean => {
      start ??= row.at
      const slot = (row.at - start) / intervalMs
      if (slot >= slots) return false
      row.values.forEach((value, column) => {
        ;(values[column] as Float32Array)[slot] = value
      })
      filled = slot + 1
      return true
    },
    take: (): FeedBlock => ({
      start: start ?? 0,
      values: values.map((each) => each.subarray(0, filled)),
    }),
  }
}
