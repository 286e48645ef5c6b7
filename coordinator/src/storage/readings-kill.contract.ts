/**
 * Run by a test as a process of its own: accepts and folds batches in a loop until it is killed, and says which sequence
 * the store has confirmed. Every third batch is sent twice, as an agent does after a lost acknowledgement.
 */

import { encodeCbor, type ReadingBatch } from '@imlma/protocol/wire'
import { createReadingsStore } from './readings.sqlite.ts'

export const intervalMs = 900_000
export const meters = 3

/** Batch `seq` of an agent: two new values of each meter, and one that the batch before had already. */
const toBatch = (seq: number): ReadingBatch => ({
  v: 1,
  seq,
  sentAt: 0,
  historical: false,
  series: Array.from({ length: meters }, (_, meter) => ({
    meter: `m-${meter}`,
    register: 'load',
    interval: intervalMs,
    start: (seq - 1) * 2 * intervalMs,
    values: Float32Array.from({ length: 3 }, (__, i) => valueAt(meter, (seq - 1) * 2 + i)),
  })),
})

export const valueAt = (meter: number, slot: number): number => meter * 1_000_000 + slot

const run = async (path: string): Promise<void> => {
  const store = createReadingsStore(path)
  const agents = ['gw-1', 'gw-2']
  for (let round = 0; ; round++) {
    const batches = agents.flatMap((agent) => {
      const next = store.acknowledged(agent, agent) + 1
      return [next, next + 1, ...(next % 3 === 0 ? [next] : [])].map((seq) => {
        const batch = toBatch(seq)
        return { site: agent, agent, receivedAt: 0, bytes: encodeCbor(batch), batch }
      })
    })
    store.accept(batches)
    for (const agent of agents) process.send?.({ agent, acknowledged: store.acknowledged(agent, agent) })
    if (round % 3 === 0) store.fold(5)
    // Lets the messages leave: what was said is what the test holds the store to.
    await new Promise((resolve) => {
      setImmediate(resolve)
    })
  }
}

const [, , path] = process.argv
if (process.send !== undefined && path?.endsWith('.db')) await run(path)
