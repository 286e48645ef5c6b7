/** A followed file into an outbox without the agent, for the test that kills it. Runs until it is killed. */

import { openReadingsDatabase } from '../outbox/database.sqlite.ts'
import { createOutbox } from '../outbox/outbox.sqlite.ts'
import { fileSchema } from './config-kinds.ts'
import { createFollowSource } from './follow.fs.ts'

const [database = '', path = ''] = process.argv.slice(2)
const outbox = createOutbox({ database: openReadingsDatabase(database, Date.now), now: Date.now })

createFollowSource(
  {
    sink: outbox,
    onFailure: (failure) => {
      throw failure
    },
  },
  fileSchema.parse({
    kind: 'file',
    name: 'file',
    path,
    format: 'ndjson',
    meter: 'm',
    at: 't',
    pollMs: 10,
    values: [
      {
        field: 'v',
        register: 'mean',
        aggregate: 'mean',
        intervalMs: 60_000,
        sampleEveryMs: 10_000,
        graceMs: 5_000,
      },
      {
        field: 'v',
        register: 'counted',
        aggregate: 'difference',
        intervalMs: 60_000,
        sampleEveryMs: 10_000,
        graceMs: 5_000,
      },
      { field: 'v', register: 'whole', intervalMs: 10_000 },
    ],
  }),
).start()
outbox.onAppend(() => process.send?.('stored'))
process.send?.('running')
// Polling alone keeps no process alive.
setInterval(() => undefined, 1_000)
