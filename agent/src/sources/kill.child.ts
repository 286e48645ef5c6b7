/**
 * An agent's readings without the agent, for the test that kills it: a simulated feed into an outbox, and a far end that
 * writes what it was sent into a ledger before it acknowledges. Runs until it is killed.
 */

import { appendFileSync } from 'node:fs'
import { setImmediate } from 'node:timers/promises'
import { limits } from '@imlma/protocol/limits'
import { parseCborMessage, readingBatchSchema } from '@imlma/protocol/wire'
import { openReadingsDatabase } from '../outbox/database.sqlite.ts'
import { createOutbox } from '../outbox/outbox.sqlite.ts'
import { createPacedSource } from './paced.timer.ts'
import { createSimulatedFeed } from './simulated.ts'

const [path = '', ledger = '', seed = '1', liveFrom = '0'] = process.argv.slice(2)
const database = openReadingsDatabase(path, Date.now)
const outbox = createOutbox({ database, now: Date.now })
if (outbox.acknowledged() === undefined) outbox.acknowledge(0)

const feed = createSimulatedFeed({
  meters: 3,
  seed: Number(seed),
  historyDays: 3,
  liveFrom: Number(liveFrom),
})
createPacedSource(
  { feed, sink: outbox },
  { name: 'feed', speed: 1e7, slotsPerAppendMax: 7, backlogBatchesMax: 40 },
).start()
process.send?.('running')

for (let turn = 0; ; turn++) {
  await setImmediate()
  // Behind on purpose: batches wait in the outbox when the kill comes.
  if (turn % 3 > 0) continue
  for (const { seq, packet } of outbox.next({ after: 0, batchesMax: 4, bytesMax: limits.packetBytesMax })) {
    const batch = parseCborMessage(readingBatchSchema, packet, limits.packetBytesMax)
    if (!batch.ok) throw new Error(batch.refusal.message)
    const series = batch.value.series.map(({ meter, start, values }) => ({
      meter,
      start,
      values: [...values],
    }))
    appendFileSync(ledger, `\n${JSON.stringify({ seq, series })}`)
    if (seq % 2 === 0) outbox.acknowledge(seq)
  }
}
