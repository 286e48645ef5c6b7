/**
 * How well does the study tune? Simple regret after 50 and 100 trials on functions with a known minimum, over seeds, beside
 * Optuna's Gaussian process (medians to be met, means to be beaten) and, from the data folder, its TPE; and how long a step
 * takes at 100 trials. Seeds run in two processes. The bar of a step is held
 * against the thread's own time, which a busy machine does not stretch as it does the clock's.
 *
 *   node scripts/benchmark/tuning.ts [--json] [--only branin2,hartmann6] [--seeds 20] [--from 0]
 *
 * Reads IMLMA_DATA, or ../shared/data beside the project, for the TPE column.
 */
import { execFile } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs, promisify } from 'node:util'
import { createStudy, type Parameter } from '@imlma/coordinator/tuning'
import { testFunctions, type TestFunction } from './tuning/functions.ts'

const { values: given } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    only: { type: 'string', default: '' },
    seeds: { type: 'string', default: '20' },
    from: { type: 'string', default: '0' },
    /** Given to the processes that this one starts: run these seeds and print them. */
    run: { type: 'string' },
  },
})

const trials = 100
const half = 50
const stepMsMax = 100

/** Optuna 5's GP sampler, 20 seeds: median and mean of regret after 50 and after 100 trials. */
const bars: Readonly<Record<string, readonly [Regret, Regret]>> = {
  branin2: [
    { median: 6.7e-5, mean: 1.2e-4 },
    { median: 3.3e-5, mean: 5.5e-5 },
  ],
  hartmann6: [
    { median: 0.0052, mean: 0.168 },
    { median: 3.1e-4, mean: 0.143 },
  ],
  ackley5: [
    { median: 3.6, mean: 4.6 },
    { median: 2.7, mean: 2.8 },
  ],
}

interface Regret {
  readonly median: number
  readonly mean: number
}

interface SeedResult {
  readonly at50: number
  readonly at100: number
  /** Milliseconds of each of the last ten asks, by the clock and of this thread. */
  readonly stepsMs: readonly number[]
  readonly stepsThreadMs: readonly number[]
}

const runSeed = ({ low, high, lowest, ...test }: TestFunction, seed: number): SeedResult => {
  const space = Object.fromEntries(
    low.map((from, i): [string, Parameter] => [`x${i}`, { kind: 'float', low: from, high: high[i]! }]),
  )
  const study = createStudy({ space, seed })
  const regrets: number[] = []
  const stepsMs: number[] = []
  const stepsThreadMs: number[] = []
  for (let i = 0; i < trials; i++) {
    const startedAt = performance.now()
    const before = process.threadCpuUsage()
    const { number, configuration } = study.ask()
    const { user, system } = process.threadCpuUsage(before)
    if (i >= trials - 10) {
      stepsMs.push(performance.now() - startedAt)
      stepsThreadMs.push((user + system) / 1_000)
    }
    study.tell(number, { kind: 'done', value: test.value(Object.values(configuration) as number[]) })
    regrets.push(study.best()!.value - lowest)
  }
  return { at50: regrets[half - 1]!, at100: regrets[trials - 1]!, stepsMs, stepsThreadMs }
}

const meanOf = (list: readonly number[]): number => list.reduce((a, b) => a + b, 0) / list.length
const medianOf = (list: readonly number[]): number => {
  const sorted = list.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}
const regretOf = (list: readonly number[]): Regret => ({ median: medianOf(list), mean: meanOf(list) })

const startProcess = async (name: string, seeds: readonly number[]): Promise<readonly SeedResult[]> => {
  if (seeds.length === 0) return []
  const args = [import.meta.filename, '--only', name, '--run', seeds.join(',')]
  const { stdout } = await promisify(execFile)(process.execPath, args)
  return JSON.parse(stdout) as SeedResult[]
}

/** Mean regret of TPE after 50 and after 100 trials, 10 seeds, where the data folder has it. */
const tpeOf = (): Readonly<Record<string, readonly number[]>> => {
  const folder = process.env['IMLMA_DATA'] ?? join(import.meta.dirname, '../../../shared/data')
  const file = join(folder, 'hpo_reference_values.json')
  if (!existsSync(file)) {
    console.error(`no reference values at ${file}: the TPE column stays empty`)
    return {}
  }
  return (JSON.parse(readFileSync(file, 'utf8')) as { res: Record<string, number[]> }).res
}

const judge = (name: string, at50: Regret, at100: Regret, tpe: readonly number[] | undefined): boolean => {
  const bar = bars[name]
  if (bar === undefined) return tpe === undefined || (at50.mean <= tpe[0]! && at100.mean <= tpe[1]!)
  return [at50, at100].every(({ median, mean }, i) => median <= bar[i]!.median && mean < bar[i]!.mean)
}

const measure = async (name: string, tpe: readonly number[] | undefined) => {
  const from = Number(given.from)
  const seeds = Array.from({ length: Number(given.seeds) }, (_, i) => from + i)
  const parts = await Promise.all(
    [0, 1].map((part) =>
      startProcess(
        name,
        seeds.filter((_, i) => i % 2 === part),
      ),
    ),
  )
  const results = parts.flat()
  const at50 = regretOf(results.map((result) => result.at50))
  const at100 = regretOf(results.map((result) => result.at100))
  const stepMs = medianOf(results.flatMap(({ stepsMs }) => stepsMs))
  const stepThreadMs = medianOf(results.flatMap(({ stepsThreadMs }) => stepsThreadMs))
  const held = judge(name, at50, at100, tpe) && stepThreadMs < stepMsMax
  return { name, at50, at100, tpe: tpe?.slice(0, 2), gp: bars[name], stepMs, stepThreadMs, held }
}

const wanted = given.only === '' ? [] : given.only.split(',')
const functions = testFunctions.filter(({ name }) => wanted.length === 0 || wanted.includes(name))

if (given.run !== undefined) {
  const seeds = given.run.split(',').map(Number)
  console.log(JSON.stringify(functions.flatMap((each) => seeds.map((seed) => runSeed(each, seed)))))
} else {
  const tpe = tpeOf()
  const results = []
  for (const { name } of functions) {
    if (!given.json) console.error(`${name} …`)
    results.push(await measure(name, tpe[`${name}/tpe`]))
  }
  if (given.json) console.log(JSON.stringify(results))
  else {
    const show = (regret: Regret | undefined) =>
      regret === undefined ? '' : `${regret.median.toPrecision(2)} / ${regret.mean.toPrecision(2)}`
    console.log(`simple regret, median / mean of ${given.seeds} seeds`)
    console.table(
      Object.fromEntries(
        results.map(({ name, at50, at100, gp, tpe: means, stepMs, stepThreadMs, held }) => [
          name,
          {
            'at 50': show(at50),
            'GP at 50': show(gp?.[0]),
            'at 100': show(at100),
            'GP at 100': show(gp?.[1]),
            'TPE means': means?.map((mean) => mean.toPrecision(2)).join(', ') ?? '',
            'step ms, clock': Number(stepMs.toFixed(1)),
            'step ms, thread': Number(stepThreadMs.toFixed(1)),
            held,
          },
        ]),
      ),
    )
  }
  process.exitCode = results.length > 0 && results.every(({ held }) => held) ? 0 : 1
}
