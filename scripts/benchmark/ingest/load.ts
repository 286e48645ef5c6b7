/** The readings that the benchmark sends: every value follows from its meter and its slot, so all can be checked. */

import type { ReadingBatch } from '@imlma/protocol/wire'

export interface Shape {
  /** Meters of one agent, each with a series of its own. */
  readonly meters: number
  /** Values of each series in one batch. */
  readonly values: number
}

export const shapes = {
  /** A day of quarter hours of twenty meters: what a gateway sends after an outage. */
  backlog: { meters: 20, values: 96 },
  /** The last hour of a thousand meters: a concentrator in normal work. */
  live: { meters: 1_000, values: 4 },
} as const satisfies Record<string, Shape>

export type ShapeName = keyof typeof shapes

export const site = 'bench'
export const register = '1-0:1.8.0'
export const intervalMs = 900_000

/** Slot of the first reading: midnight at the start of 2015, UTC. */
export const firstSlot = Date.UTC(2015, 0) / intervalMs

export const agentOf = (publisher: number): string => `gw-${publisher}`
export const meterOf = (publisher: number, meter: number): string => `m-${publisher}-${meter}`

/** Exact in float32. */
export const valueAt = (meter: number, slot: number): number => ((meter * 31 + slot * 7) % 4_096) / 8

/** Batch `seq` of a publisher; batches follow each other in time without a gap. */
export const batchOf = (shape: Shape, publisher: number, seq: number): ReadingBatch => {
  const slot = firstSlot + (seq - 1) * shape.values
  return {
    v: 1,
    seq,
    oldest: 1,
    sentAt: Date.now(),
    historical: true,
    series: Array.from({ length: shape.meters }, (_, meter) => ({
      meter: meterOf(publisher, meter),
      register,
      interval: intervalMs,
      start: slot * intervalMs,
      values: Float32Array.from({ length: shape.values }, (__, i) => valueAt(meter, slot + i)),
    })),
  }
}
