/**
 * What does a change of versions cost those who ask meanwhile? A model of 24 MB is replaced 200 times under load, the way
 * an agent does it: the next version is loaded by path (in a worker of its own), proven by a few runs, and takes over; the one
 * before it ends its runs and closes. Two files take turns, and every answer is held against the version that gave it.
 *
 *   node scripts/benchmark/swaps.ts [--swaps 200] [--isolation worker|none] [--clients 4]
 */

import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { createActiveModels, createBatcher, createWorkers, loadModel } from '@imlma/agent/serving'
import { encodeTinyModel, layersOf, tinyContract } from '@imlma/agent/serving/testing'

const { values: given } = parseArgs({
  options: {
    swaps: { type: 'string', default: '200' },
    isolation: { type: 'string', default: 'worker' },
    clients: { type: 'string', default: '4' },
    /** Internal: writes the two files there and ends. */
    write: { type: 'string' },
  },
})
const swaps = Number(given.swaps)
const isIsolated = given.isolation !== 'none'
const clients = Number(given.clients)
/** 96 × 2,400 + 2,400 × 2,400 + 2,400 × 96 weights of four bytes. */
const widths = [96, 2_400, 2_400, 96]
const quietMs = 10_000
/** Between an answer and the next request of a client: a gateway's consumers ask for something and use it. */
const pauseMs = 20
/** As warm-up has golden vectors. */
const provingRuns = 8

const filesOf = (folder: string): readonly string[] => [join(folder, 'a.onnx'), join(folder, 'b.onnx')]

if (given.write !== undefined) {
  for (const [index, path] of filesOf(given.write).entries()) {
    await writeFile(path, encodeTinyModel({ layers: layersOf(widths, 0.01 * (index + 1)) }))
  }
  process.exit(0)
}

const folder = await mkdtemp(join(tmpdir(), 'imlma-swaps-'))
// In a process of its own: writing them byte by byte takes memory that is not the agent's.
spawnSync(process.execPath, [import.meta.filename, '--write', folder], { stdio: 'inherit' })
const workers = createWorkers()
const contract = tinyContract({ features: 96, horizon: 96 })
const models = createActiveModels({
  now: () => performance.now(),
  load: (path, identity, signed) =>
    isIsolated ? workers.load(path, identity, signed, undefined) : loadModel(path, identity, signed),
})
const batcher = createBatcher({
  models,
  now: () => performance.now(),
  defer: (callback) => void setImmediate(callback),
})

/** This process and its workers. */
const residentBytes = (): number => {
  const pids = [process.pid, ...workers.list().flatMap(({ pid }) => (pid === undefined ? [] : [pid]))]
  return pids.reduce((sum, pid) => {
    const pages = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
    return sum + Number(pages ?? 0) * 1_024
  }, 0)
}

const input = Float32Array.from({ length: 96 }, (_, i) => Math.sin(i))
const paths = filesOf(folder)
const artifactBytes = (await stat(paths[0] as string)).size
/** First value of each file's answer: two versions must not be mistaken for each other. */
const expected: number[] = []

const swapTo = async (version: number): Promise<void> => {
  const path = paths[version % 2] as string
  const sha256 = String(version).padStart(64, '0')
  const loaded = await models.load(path, { model: 'load', version, sha256 }, contract)
  for (let run = 0; run < provingRuns; run++) {
    const [first] = await loaded.run(input, 1)
    expected[version % 2] ??= first as number
  }
  models.activate(loaded)
}

const figures = { requests: 0, failed: 0, wrong: 0 }
let durations: number[] = []
const over = new AbortController()
const client = async (): Promise<void> => {
  while (!over.signal.aborted) {
    const startedAt = performance.now()
    const answer = await batcher.infer('load', input, 1)
    durations.push(performance.now() - startedAt)
    figures.requests += 1
    if (!answer.ok) figures.failed += 1
    else if (answer.value.values[0] !== expected[answer.value.version % 2]) figures.wrong += 1
    await sleep(pauseMs * (0.5 + Math.random()))
  }
}

const takeLatency = () => {
  const sorted = Float64Array.from(durations).toSorted()
  durations = []
  const at = (share: number): number => Number((sorted[Math.floor(sorted.length * share)] ?? 0).toFixed(2))
  return { requests: sorted.length, p50Ms: at(0.5), p99Ms: at(0.99), maxMs: at(0.9999) }
}
const mb = (bytes: number): number => Number((bytes / 1e6).toFixed(1))

try {
  await swapTo(1)
  await swapTo(2)
  const asking = Array.from({ length: clients }, client)
  await sleep(2_000)
  durations = []
  await sleep(quietMs)
  const before = { ...takeLatency(), residentMb: mb(residentBytes()) }
  const startedAt = performance.now()
  for (let version = 3; version < swaps + 3; version++) await swapTo(version)
  const swapMs = (performance.now() - startedAt) / swaps
  const during = { ...takeLatency(), residentMb: mb(residentBytes()) }
  await sleep(2_000)
  durations = []
  await sleep(quietMs)
  const after = { ...takeLatency(), residentMb: mb(residentBytes()) }
  over.abort()
  await Promise.all(asking)
  const ratios = {
    p99During: Number((during.p99Ms / before.p99Ms).toFixed(3)),
    p99After: Number((after.p99Ms / before.p99Ms).toFixed(3)),
    residentAfter: Number((after.residentMb / before.residentMb).toFixed(3)),
  }
  const bars = { failed: 0, wrong: 0, p99DuringMax: 2, p99AfterMax: 1.05, residentAfterMax: 1.1 }
  const held =
    figures.failed === 0 &&
    figures.wrong === 0 &&
    ratios.p99During <= bars.p99DuringMax &&
    ratios.p99After <= bars.p99AfterMax &&
    ratios.residentAfter <= bars.residentAfterMax
  const setting = { swaps, artifactMb: mb(artifactBytes), isolation: isIsolated ? 'worker' : 'none', clients }
  const results = { ...figures, swapMs: Number(swapMs.toFixed(1)), before, during, after, ratios }
  console.log(
    JSON.stringify({ benchmark: 'swaps', ...setting, results, bars: { ...bars, held } }, undefined, 2),
  )
} finally {
  await models.close()
  await rm(folder, { recursive: true })
}
