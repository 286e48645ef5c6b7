/**
 * How many readings a second come from agents into the durable store? Embedded broker, ingest and store in this
 * process, agents in another, all on loopback; at the end every reading is compared with what was sent.
 *
 *   node scripts/benchmark/ingest.ts [--seconds 60] [--shape backlog|live] [--publishers 20] [--window 8] [--tls] [--json]
 *
 * The bar is 100,000 readings a second on two cores, the load generator included, with memory flat.
 */

import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { startEmbeddedIngest } from '@imlma/coordinator/ingest'
import { createReadingsStore } from '@imlma/coordinator/storage/readings'
import { createBatchSignatures } from '@imlma/coordinator/trust/signatures'
import { certify } from './ingest/certificates.fs.ts'
import { compareAll } from './ingest/check.ts'
import { keyBook } from './ingest/keys.crypto.ts'
import { shapes } from './ingest/load.ts'

const bar = 100_000
/** Growth of the last third of the run over the second one that still counts as flat; judged after the warm-up only. */
const growthMax = 1.1
const growthJudgedFromS = 45

const { values: options } = parseArgs({
  options: {
    seconds: { type: 'string', default: '60' },
    shape: { type: 'string', default: 'backlog' },
    publishers: { type: 'string', default: '20' },
    window: { type: 'string', default: '8' },
    /** Signed by their publisher and verified before they are stored, as in a certified site. */
    signed: { type: 'boolean', default: false },
    /** Over mutual TLS instead of plain connections. */
    tls: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
  },
})
const seconds = Math.min(3_600, Math.max(6, Number(options.seconds)))
const shape = options.shape === 'live' ? shapes.live : shapes.backlog

interface Second {
  readonly readings: number
  readonly residentMb: number
  readonly batchesToFold: number
}

const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0

const folder = mkdtempSync(join(tmpdir(), 'imlma-ingest-'))
const store = createReadingsStore(join(folder, 'readings.db'))
let folded = 0
const counted = {
  ...store,
  fold: (limit: number) => {
    const batches = store.fold(limit)
    folded += batches
    return batches
  },
}
const certified = options.tls ? await certify(folder, Number(options.publishers)) : undefined
const { broker, ingest, close } = await startEmbeddedIngest(
  {
    store: counted,
    now: Date.now,
    ...(options.signed && {
      verifySignature: createBatchSignatures({
        keys: keyBook,
        denied: () => new Set(),
        onTrouble: console.error,
      }),
    }),
  },
  { port: 0, ...(certified && { certified: certified.door }) },
)
const load = fork(new URL(import.meta.resolve('./ingest/publishers.ts')), [
  broker.certifiedUrl ?? broker.url,
  options.shape,
  options.publishers,
  options.window,
  String(options.signed),
  certified?.file ?? '',
])

const loopDelay = monitorEventLoopDelay({ resolution: 5 })
loopDelay.enable()
const windows: Second[] = []
const startedAt = performance.now()
const cpuAtStart = process.cpuUsage()
let before = 0
for (let second = 0; second < seconds; second++) {
  await sleep(Math.max(1, startedAt + (second + 1) * 1_000 - performance.now()))
  const { readings, accepted } = ingest.counters()
  const window = {
    readings: readings - before,
    residentMb: Math.round(process.memoryUsage.rss() / 1_048_576),
    batchesToFold: accepted - folded,
  }
  before = readings
  windows.push(window)
  if (!options.json)
    console.error(
      `${second + 1} s  ${window.readings} readings/s  ${window.residentMb} MB  ${window.batchesToFold} to fold`,
    )
}
loopDelay.disable()
const cpu = process.cpuUsage(cpuAtStart)
const overall = Math.round((before / (performance.now() - startedAt)) * 1_000)

load.send('stop')
const [{ batches }] = (await once(load, 'message')) as [{ batches: number[] }]
while (ingest.counters().accepted > folded) await sleep(20)
await close()
const comparison = compareAll(store, shape, batches)
store.close()
const fileMb = Math.round(statSync(join(folder, 'readings.db')).size / 1_048_576)
rmSync(folder, { recursive: true, force: true })

const third = Math.floor(windows.length / 3)
const resident = windows.map(({ residentMb }) => residentMb)
const growth = median(resident.slice(-third)) / median(resident.slice(third, 2 * third))
const result = {
  shape: options.shape,
  signed: options.signed,
  tls: options.tls,
  seconds,
  // The first seconds start processes and compile.
  readingsPerSecondMedian: median(windows.slice(2).map(({ readings }) => readings)),
  readingsPerSecondOverall: overall,
  bar,
  /** Of this process, all threads: comparable also where other programs take turns. */
  cpuSecondsPerMillion: (cpu.user + cpu.system) / Math.max(1, before),
  residentMb: { start: resident[0], median: median(resident), max: Math.max(...resident), growth },
  batchesToFoldMax: Math.max(...windows.map(({ batchesToFold }) => batchesToFold)),
  loopDelayMs: {
    p50: loopDelay.percentile(50) / 1e6,
    p99: loopDelay.percentile(99) / 1e6,
    max: loopDelay.max / 1e6,
  },
  fileMb,
  comparison,
  held: false,
}
const { lost, wrong, doubled, batchesOff } = comparison
result.held =
  result.readingsPerSecondMedian >= bar &&
  (growth <= growthMax || seconds < growthJudgedFromS) &&
  lost + wrong + doubled + batchesOff === 0
console.log(JSON.stringify(result, null, options.json ? undefined : 2))
process.exitCode = result.held ? 0 : 1
