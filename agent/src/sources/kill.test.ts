import { fork } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { everything, parsed } from '../outbox/outbox.contract.ts'
import { openReadingsDatabase } from '../outbox/database.sqlite.ts'
import { createOutbox } from '../outbox/outbox.sqlite.ts'
import { parsePosition } from './feed.ts'
import { createSimulation } from './simulation.ts'
import { hashAt, uniformAt } from './noise.ts'

const interval = 900_000
const liveFrom = Date.UTC(2024, 4, 1)
const historySlots = 3 * 96
const kills = 10

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'imlma-kill-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

interface Batch {
  readonly seq: number
  readonly series: readonly {
    readonly meter: string
    readonly start: number
    readonly values: readonly number[]
  }[]
}

/** Batches that reached the far end; a line that the kill cut short was not acknowledged. */
const readLedger = (path: string): readonly Batch[] =>
  (existsSync(path) ? readFileSync(path, 'utf8') : '').split('\n').flatMap((line) => {
    try {
      return [JSON.parse(line) as Batch]
    } catch {
      return []
    }
  })

test(`after ${kills} kills every reading of the source is there exactly once`, async () => {
  const seed = Number(process.env['IMLMA_SEED'] ?? hashAt(Date.now(), 1) % 100_000)
  const path = join(folder, 'readings.db')
  const ledger = join(folder, 'ledger')
  for (let kill = 0; kill < kills; kill++) {
    const child = fork(join(import.meta.dirname, 'kill.child.ts'), [path, ledger, '5', String(liveFrom)])
    await once(child, 'message')
    await setTimeout(uniformAt(seed, kill) * 120)
    child.kill('SIGKILL')
    await once(child, 'exit')
  }

  const database = openReadingsDatabase(path, Date.now)
  const outbox = createOutbox({ database, now: Date.now })
  const bySequence = new Map(readLedger(ledger).map((batch) => [batch.seq, batch.series] as const))
  const delivered = bySequence.size
  for (const { seq, series } of outbox.next(everything).map(parsed)) {
    bySequence.set(
      seq,
      series.map(({ meter, start, values }) => ({ meter, start, values: [...values] })),
    )
  }
  const next = parsePosition(outbox.position('feed'))?.next ?? 0
  database.close()

  const sequences = [...bySequence.keys()].toSorted((a, b) => a - b)
  expect(sequences, `seed ${seed}`).toEqual(sequences.map((_, i) => i + 1))
  expect(delivered, `seed ${seed}: batches were delivered between kills`).toBeGreaterThan(kills)
  const slots = (next - liveFrom) / interval + historySlots
  expect(slots).toBeGreaterThan(historySlots)
  const simulation = createSimulation({ seed: 5, intervalMs: interval })
  for (const meter of ['meter-001', 'meter-002', 'meter-003']) {
    // Live readings overtake the backlog.
    const readings = sequences
      .flatMap((seq) => (bySequence.get(seq) ?? []).filter((each) => each.meter === meter))
      .toSorted((a, b) => a.start - b.start)
    const times = readings.flatMap(({ start, values }) =>
      values.map((_, i) => (start - liveFrom) / interval + i),
    )
    expect(times, `seed ${seed}: ${meter}`).toEqual(times.map((_, i) => i - historySlots))
    expect(times).toHaveLength(slots)
    expect(readings.flatMap(({ values }) => values)).toEqual([
      ...simulation.read(meter, liveFrom - historySlots * interval, slots),
    ])
  }
}, 30_000)
