/**
 * How much does serving add to the runtime? One forecast in process and a batch for 1,000 meters, each side by side
 * with a bare `session.run` of the same file, in rounds that alternate; the median round counts.
 *
 *   node scripts/benchmark/serving.ts [--rounds 7]
 */

import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { createActiveModels, loadModel, type ActiveModels } from '@imlma/agent/serving'
import { encodeTinyModel, layersOf, tinyContract } from '@imlma/agent/serving/testing'

/** As much of the runtime as a bare run needs; it is the agent's dependency and not the root's. */
interface Runtime {
  readonly InferenceSession: {
    create(
      path: string,
      options: object,
    ): Promise<{ run(feeds: object): Promise<unknown>; release(): Promise<void> }>
  }
  readonly Tensor: new (type: 'float32', values: Float32Array, shape: readonly number[]) => object
}

const requireAgents = createRequire(new URL('../../agent/package.json', import.meta.url))
const { InferenceSession, Tensor } = requireAgents('onnxruntime-node') as Runtime

const { values } = parseArgs({ options: { rounds: { type: 'string', default: '7' } } })
const rounds = Math.max(5, Number(values.rounds))
const singles = 4_000
const batches = 400
const meters = 1_000

interface Case {
  readonly name: string
  readonly widths: readonly number[]
}
const cases: readonly Case[] = [
  { name: 'MLP 24-64-64-1', widths: [24, 64, 64, 1] },
  { name: 'ridge 96 → 96', widths: [96, 96] },
]

type Run = () => Promise<unknown>

/** p50 and p99 of one call, in microseconds. */
const time = async (run: Run, calls: number): Promise<{ p50: number; p99: number }> => {
  const durations = new Float64Array(calls)
  for (let i = 0; i < calls; i++) {
    const startedAt = performance.now()
    await run()
    durations[i] = (performance.now() - startedAt) * 1_000
  }
  durations.sort()
  return {
    p50: durations[Math.floor(calls * 0.5)] as number,
    p99: durations[Math.floor(calls * 0.99)] as number,
  }
}

const median = (list: readonly number[]): number =>
  list.toSorted((a, b) => a - b)[Math.floor(list.length / 2)] as number

const round = (value: number, digits = 1): number => Number(value.toFixed(digits))

/** Median over rounds of bare, served, and their ratio within a round. */
const compare = async (bare: Run, served: Run, calls: number) => {
  await time(bare, calls)
  await time(served, calls)
  const rows: { bare: { p50: number; p99: number }; served: { p50: number; p99: number } }[] = []
  for (let i = 0; i < rounds; i++) {
    if (i % 2 === 0) rows.push({ bare: await time(bare, calls), served: await time(served, calls) })
    else {
      const first = await time(served, calls)
      rows.push({ bare: await time(bare, calls), served: first })
    }
  }
  return {
    bareP50Us: round(median(rows.map((row) => row.bare.p50))),
    bareP99Us: round(median(rows.map((row) => row.bare.p99))),
    servedP50Us: round(median(rows.map((row) => row.served.p50))),
    servedP99Us: round(median(rows.map((row) => row.served.p99))),
    ratioP50: round(median(rows.map((row) => row.served.p50 / row.bare.p50)), 3),
  }
}

const measure = async (folder: string, { name, widths }: Case) => {
  const features = widths[0] as number
  const path = join(folder, `${widths.join('-')}.onnx`)
  await writeFile(path, encodeTinyModel({ layers: layersOf(widths) }))
  const contract = tinyContract({ features, horizon: widths.at(-1) as number })
  const serving: ActiveModels = createActiveModels({ load: loadModel, now: () => performance.now() })
  serving.activate(await serving.load(path, { model: 'load', version: 1, sha256: '0'.repeat(64) }, contract))
  const session = await InferenceSession.create(path, {
    intraOpNumThreads: 1,
    interOpNumThreads: 1,
    extra: { session: { intra_op: { allow_spinning: '0' } } },
  })
  const compareRows = (rows: number, calls: number) => {
    const input = Float32Array.from({ length: rows * features }, (_, i) => Math.sin(i))
    return compare(
      () => session.run({ features: new Tensor('float32', input, [rows, features]) }),
      () => serving.active('load')?.run(input, rows) ?? Promise.reject(new Error('nothing is active')),
      calls,
    )
  }
  const one = await compareRows(1, singles)
  const batch = await compareRows(meters, batches)
  await serving.close()
  await session.release()
  const rate = (us: number): number => round(meters / us, 2)
  return {
    name,
    one,
    batch,
    bareMillionRowsPerS: rate(batch.bareP50Us),
    servedMillionRowsPerS: rate(batch.servedP50Us),
  }
}

const folder = await mkdtemp(join(tmpdir(), 'imlma-benchmark-'))
try {
  const results = []
  for (const one of cases) results.push(await measure(folder, one))
  const bars = {
    oneForecastRatioMax: 1.3,
    held: results.every(({ one }) => one.ratioP50 <= 1.3),
    mlpMillionRowsPerSMin: 5,
    batchHeld: (results[0]?.servedMillionRowsPerS ?? 0) >= 5,
  }
  console.log(JSON.stringify({ benchmark: 'serving', rounds, results, bars }, undefined, 2))
} finally {
  await rm(folder, { recursive: true })
}
