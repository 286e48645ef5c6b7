/** Compares everything that is stored with everything that was sent. */

import type { ReadingsStore } from '@imlma/coordinator/storage/readings'
import { agentOf, firstSlot, intervalMs, meterOf, register, site, valueAt, type Shape } from './load.ts'

export interface Comparison {
  readonly expected: number
  readonly lost: number
  readonly wrong: number
  /** Counted more often than there are readings. */
  readonly doubled: number
  /** Batches that an agent counts and the store does not, or the other way round. */
  readonly batchesOff: number
}

/** `batches` are those that each publisher sent. */
export const compareAll = (store: ReadingsStore, shape: Shape, batches: readonly number[]): Comparison => {
  let expected = 0
  let lost = 0
  let wrong = 0
  const start = firstSlot * intervalMs
  batches.forEach((sent, publisher) => {
    const count = sent * shape.values
    for (let meter = 0; meter < shape.meters; meter++) {
      const key = { site, meter: meterOf(publisher, meter), register, intervalMs }
      // One day more than was sent: nothing must be there.
      const { values } = store.read(key, start, start + (count + 96) * intervalMs)
      expected += count
      values.forEach((value, i) => {
        if (i >= count) wrong += Number.isNaN(value) ? 0 : 1
        else if (Number.isNaN(value)) lost += 1
        else if (value !== valueAt(meter, firstSlot + i)) wrong += 1
      })
    }
  })
  const stored = new Map(store.coverage().map(({ agent, acknowledged }) => [agent, acknowledged]))
  const batchesOff = batches.filter((sent, publisher) => stored.get(agentOf(publisher)) !== sent).length
  const counted = store.filled(site, register, intervalMs)
  return { expected, lost, wrong, doubled: Math.max(0, counted - expected), batchesOff }
}
