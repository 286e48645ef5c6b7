/**
 * What do three days without a link cost a gateway, and how fast is the backlog gone afterwards? 1,000 meters at 1-minute
 * readings are appended as they come, one append a minute, into a real file; then the backlog drains into a far end that
 * acknowledges at once, with live readings in between.
 *
 *   node scripts/benchmark/outbox.ts [--hours 72] [--meters 1000] [--rounds 5] [--folder DIR]
 *
 * `deviceBytesPerReading` is what the kernel hands to the storage device (`write_bytes` of /proc/self/io): flash wear. It
 * is measured twice: with a flush for each append (`FULL`, as the agent runs: what was appended survives a power cut) and
 * with one for each checkpoint (`NORMAL`, which may lose the last minutes), which shows what durability costs. Appends a
 * second are the median of rounds of an equal number of appends. The bar: 72 hours fit into 250 MB on disk.
 */

import { mkdtempSync, readFileSync, readdirSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { createHistory, createOutbox, openReadingsDatabase } from '@imlma/agent/testing/readings'

const { values: given } = parseArgs({
  options: {
    hours: { type: 'string', default: '72' },
    meters: { type: 'string', default: '1000' },
    rounds: { type: 'string', default: '5' },
    /** On the file system to be measured; a RAM disk writes to no device. */
    folder: { type: 'string', default: tmpdir() },
  },
})
const minutes = Number(given.hours) * 60
const meters = Number(given.meters)
const rounds = Math.max(5, Number(given.rounds))
const bar = { bytesOnDiskMax: 250 * 1_000_000 }
const minuteMs = 60_000
const begin = Date.UTC(2024, 0, 1)

/** Active power in kW, three decimals, as meters send it: a daily shape, a level of each meter, noise. */
const readingOf = (meter: number, minute: number): number => {
  const shape = 1 + Math.sin((2 * Math.PI * minute) / 1_440 + (meter % 24))
  const noise = ((Math.imul(meter * 1_440 + minute, 2_654_435_761) >>> 0) % 1_000) / 1_000
  return Math.round(1_000 * (0.2 + (meter % 7) * 0.1 + shape * noise)) / 1_000
}

const names = Array.from({ length: meters }, (_, i) => `1EMH${String(i * 7_919).padStart(10, '0')}`)

const seriesAt = (minute: number) =>
  names.map((meter, i) => ({
    meter,
    register: '1-0:1.7.0',
    interval: minuteMs,
    start: begin + minute * minuteMs,
    values: Float32Array.of(readingOf(i, minute)),
  }))

/** undefined where this system does not say. */
const deviceBytes = (): number | undefined => {
  try {
    return Number(/^write_bytes: (\d+)/m.exec(readFileSync('/proc/self/io', 'utf8'))?.[1])
  } catch {
    return undefined
  }
}

const bytesIn = (folder: string): number =>
  readdirSync(folder).reduce((sum, name) => sum + statSync(join(folder, name)).size, 0)

const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN

const rounded = (value: number, digits = 0): number => Number(value.toFixed(digits))

const perReading = (before: number | undefined, readings: number): number | null => {
  const after = deviceBytes()
  return before === undefined || after === undefined ? null : rounded((after - before) / readings, 1)
}

const openIn = (folder: string, synchronous: 'FULL' | 'NORMAL') => {
  const database = openReadingsDatabase(join(folder, 'readings.db'), Date.now)
  database.sqlite.pragma(`synchronous = ${synchronous}`)
  const history = createHistory(database)
  const outbox = createOutbox({ database, now: Date.now, participants: [history] }, { bytesMax: 2 ** 40 })
  return { outbox, close: database.close }
}
type Opened = ReturnType<typeof openIn>

/** One append a minute, as from a concentrator. */
const fill = ({ outbox }: Opened, count: number) => {
  const writtenBefore = deviceBytes()
  const rates: number[] = []
  for (let round = 0; round < rounds; round++) {
    const from = Math.floor((count * round) / rounds)
    const to = Math.floor((count * (round + 1)) / rounds)
    // What makes the readings is no part of the store.
    let spentMs = 0
    for (let minute = from; minute < to; minute++) {
      const series = seriesAt(minute)
      const startedAt = performance.now()
      outbox.append(series, { historical: false, cursor: { source: 'feed', position: String(minute) } })
      spentMs += performance.now() - startedAt
    }
    rates.push(((to - from) / spentMs) * 1_000)
  }
  return {
    appendsPerSecond: rounded(median(rates), 1),
    readingsPerSecond: rounded(median(rates) * meters),
    deviceBytesPerReading: perReading(writtenBefore, count * meters),
  }
}

/** Everything leaves; one live append for every so many batches on the wire. */
const drain = ({ outbox }: Opened, firstMinute: number) => {
  const liveEvery = 32
  const writtenBefore = deviceBytes()
  outbox.acknowledge(0)
  let minute = firstMinute
  let batches = 0
  let packetBytes = 0
  let liveAppendedAt: number | undefined
  let overtaken = 0
  const liveMs: number[] = []
  const overtakenBy: number[] = []
  const startedAt = performance.now()
  let spentAppending = 0
  while (outbox.backlog().batches > 0) {
    const after = outbox.acknowledged() ?? 0
    const sent = outbox.next({ after, batchesMax: 16, bytesMax: 4 * 1_048_576, backlogMax: 8 })
    for (const { seq, packet, isBacklog } of sent) {
      batches += 1
      packetBytes += packet.length
      if (isBacklog) overtaken += 1
      else if (liveAppendedAt !== undefined) {
        liveMs.push(performance.now() - liveAppendedAt)
        overtakenBy.push(overtaken)
        liveAppendedAt = undefined
      }
      outbox.acknowledge(seq)
      if (batches % liveEvery > 0 || liveAppendedAt !== undefined || outbox.backlog().batches < liveEvery)
        continue
      const series = seriesAt(minute)
      const at = performance.now()
      outbox.append(series, { historical: false })
      spentAppending += performance.now() - at
      minute += 1
      liveAppendedAt = performance.now()
      overtaken = 0
    }
  }
  outbox.settle()
  const seconds = (performance.now() - startedAt - spentAppending) / 1_000
  return {
    batches,
    batchesPerSecond: rounded(batches / seconds),
    readingsPerSecond: rounded((batches * meters) / seconds),
    packetBytesPerReading: rounded(packetBytes / batches / meters, 1),
    deviceBytesPerReading: perReading(writtenBefore, batches * meters),
    live: {
      appends: liveMs.length,
      waitedMsMedian: rounded(median(liveMs), 2),
      waitedMsMax: rounded(Math.max(...liveMs), 2),
      backlogBatchesAheadMax: Math.max(...overtakenBy),
    },
  }
}

const folders: string[] = []
const newFolder = (): string => {
  const folder = mkdtempSync(join(given.folder, 'imlma-outbox-'))
  folders.push(folder)
  return folder
}

try {
  const folder = newFolder()
  const full = openIn(folder, 'FULL')
  const filled = fill(full, minutes)
  const bytesOnDisk = bytesIn(folder)
  const { bytes: columnBytes, readings } = full.outbox.backlog()
  const drained = drain(full, minutes)
  const residentMB = rounded(process.memoryUsage.rss() / 1_048_576)
  full.close()
  const reopenedAt = performance.now()
  openIn(folder, 'FULL').close()
  const openMs = rounded(performance.now() - reopenedAt)

  const relaxed = openIn(newFolder(), 'NORMAL')
  const normal = fill(relaxed, Math.min(minutes, 1_440))
  relaxed.close()
  const result = {
    benchmark: 'outbox',
    hours: minutes / 60,
    meters,
    readings,
    bytesOnDisk,
    bytesOnDiskPerReading: rounded(bytesOnDisk / readings, 1),
    columnBytesPerReading: rounded(columnBytes / readings, 1),
    append: { FULL: filled, NORMAL: normal },
    drain: drained,
    openMs,
    residentMB,
    bar,
    held: bytesOnDisk <= bar.bytesOnDiskMax,
  }
  console.log(JSON.stringify(result, undefined, 2))
  process.exitCode = result.held ? 0 : 1
} finally {
  for (const folder of folders) rmSync(folder, { recursive: true })
}
