import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { backtest } from './backtest.fs.ts'
import { toMaterial } from './material.ts'
import { drawForecasts } from './plot.ts'
import type { BacktestReport } from './report.ts'
import { readTable } from './table.csv.ts'
import { createReporter } from './progress.ts'
import { parseTask, type BacktestTask } from './task.ts'
import { zoneTransitions } from '../training/zone.os.ts'

const hourMs = 3_600_000
let folder: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'imlma-backtest-test-'))
})
afterAll(() => rm(folder, { recursive: true }))

const write = async (name: string, text: string): Promise<string> => {
  const path = join(folder, name)
  await writeFile(path, text)
  return path
}
const taskOf = (fields: object): BacktestTask => {
  const parsed = parseTask(JSON.stringify(fields))
  if (!parsed.ok) throw new Error(parsed.refusal.message)
  return parsed.value
}

/** A daily wave that a window explains, with a little that it does not. */
const waveCsv = (hours: number): string =>
  [
    'time,load,kind',
    ...Array.from({ length: hours }, (_, i) => {
      const load = 50 + 20 * Math.sin((2 * Math.PI * i) / 24) + 3 * Math.sin(i * i)
      return `${new Date(i * hourMs).toISOString()},${load.toFixed(4)},${i % 2 === 0 ? 'even' : 'odd'}`
    }),
  ].join('\n')

const waveTask = {
  name: 'a wave',
  data: 'wave.csv',
  time: { column: 'time' },
  intervalMinutes: 60,
  targets: ['load'],
  context: 48,
  horizon: 6,
  split: { by: 'share', validation: 0.2, test: 0.2 },
  learner: 'ridge',
  parameters: { ridge: { form: 'shared', normalisation: { level: 'last', scale: 'none' } } },
}

const run = async (task: object, plotPath?: string): Promise<BacktestReport> => {
  const taskPath = await write('task.json', JSON.stringify(task))
  const report = await backtest({
    taskPath,
    folder,
    say: () => undefined,
    ...(plotPath === undefined ? {} : { plotPath }),
  })
  if (!report.ok) throw new Error(report.refusal.message)
  return report.value
}

describe('the material', () => {
  test('is standardised by its training rows alone', async () => {
    const table = await readTable(await write('wave.csv', waveCsv(400)))
    const task = taskOf({
      ...waveTask,
      scaling: 'standard',
      split: { by: 'rows', train: 240, validation: 80, test: 80 },
    })
    const { content, split, test: judged } = toMaterial(task, table, { zoneTransitions })
    const train = [...(content.series[0]?.values.subarray(0, 240) ?? [])]
    const mean = train.reduce((sum, value) => sum + value, 0) / 240
    expect(mean).toBeCloseTo(0, 5)
    expect(Math.sqrt(train.reduce((sum, value) => sum + value ** 2, 0) / 240)).toBeCloseTo(1, 5)
    expect(split.train.end).toBe((240 - 6) * hourMs)
    expect(judged).toEqual({ start: 320 * hourMs, end: 400 * hourMs })
  })

  test('refuses a split that the data cannot hold', async () => {
    const table = await readTable(await write('short.csv', waveCsv(100)))
    const task = taskOf({ ...waveTask, split: { by: 'rows', train: 80, validation: 20, test: 80 } })
    expect(() => toMaterial(task, table, { zoneTransitions })).toThrow('do not fit')
  })
})

test('a drawing leaves a gap where a number is missing, and escapes its title', () => {
  const steps = [1, 2, Number.NaN, 3].map((actual, i) => ({ time: i * hourMs, forecast: 2, actual }))
  const drawing = drawForecasts('a < b', steps)
  expect(drawing).toContain('a &lt; b')
  expect(drawing.match(/d="(M[^"]*M[^"]*)"/g)).toHaveLength(1)
})

describe('a backtest', () => {
  beforeAll(() => write('wave.csv', waveCsv(900)))

  test('judges the chosen model on the test part, and draws it', async () => {
    const report = await run({ ...waveTask, context: [4, 48] }, 'plot.svg')
    expect(report).toMatchObject({
      name: 'a wave',
      learner: 'ridge',
      features: 'context 48',
      trials: 2,
      rows: 175,
    })
    for (const figure of ['mse', 'mae', 'rmse', 'r2', 'skill'] as const) {
      expect(report.metrics[figure]).toBeTypeOf('number')
    }
    expect(report.metrics.rmse).toBeCloseTo(Math.sqrt(report.metrics.mse ?? 0), 12)
    expect(report.metrics.r2).toBeGreaterThan(0.9)
    expect(report.baselines.persistence.skill).toBeGreaterThan(0.5)
    const drawing = await readFile(join(folder, 'plot.svg'), 'utf8')
    expect(drawing).toMatch(/^<svg [^]*<\/svg>\n$/)
    expect(drawing).toContain('a wave')
  })

  test('averages one learner over its features where the validation part says so, and the task allows it', async () => {
    let [state, disturbance] = [7, 0]
    const random = () => (state = (state * 16_807) % 2_147_483_647) / 2_147_483_647 - 0.5
    const rows = Array.from({ length: 900 }, (_, i) => {
      disturbance = 0.9 * disturbance + 4 * random()
      const load = 50 + 10 * Math.sin((2 * Math.PI * i) / 24) + disturbance + 8 * random()
      return `${new Date(i * hourMs).toISOString()},${load.toFixed(4)}`
    })
    await write('noise.csv', ['time,load', ...rows].join('\n'))
    const ridge = { ...waveTask.parameters.ridge, lambdas: [0.01] }
    const task = { ...waveTask, data: 'noise.csv', context: [3, 24, 72], parameters: { ridge } }
    const [averaged, single] = [await run(task), await run({ ...task, average: false })]
    expect(single).toMatchObject({ learner: 'ridge', features: 'context 24', trials: 3 })
    expect(averaged).toMatchObject({ learner: 'average', trials: 3, rows: single.rows })
    expect(averaged.features).toContain('context 24 + context 72')
    expect(averaged.validation.value).toBeLessThan(single.validation.value)
  })

  test('asks for nothing that a learner can find out itself', async () => {
    const report = await run({ ...waveTask, parameters: {} })
    expect(report.metrics.r2).toBeGreaterThan(0.9)
  })

  test('says what quantiles are worth where the task asks for them, and changes no other figure', async () => {
    await write('long-wave.csv', waveCsv(2_400))
    const longTask = { ...waveTask, data: 'long-wave.csv' }
    const plain = await run(longTask)
    expect(Object.keys(plain.metrics)).toEqual(['mse', 'mae', 'rmse', 'r2', 'skill'])
    const { metrics, quantiles } = await run({ ...longTask, quantiles: [0.1, 0.5, 0.9] })
    expect(metrics).toMatchObject(plain.metrics)
    expect(quantiles).toEqual([0.1, 0.5, 0.9])
    expect(metrics.coverage).toBeGreaterThan(0.7)
    expect(metrics.coverage).toBeLessThan(0.9)
    // A range that is worth something is better than the forecast taken for all its quantiles.
    expect(metrics.pinball).toBeGreaterThan(0)
    expect(metrics.pinball).toBeLessThan((metrics.mae as number) / 2)
    const average = await run({
      ...longTask,
      quantiles: [0.05, 0.95],
      learner: 'auto',
      learners: ['ridge', 'trees'],
      trials: 3,
      parameters: { ...waveTask.parameters, trees: { rounds: 20 } },
    })
    expect(average.metrics.coverage).toBeGreaterThan(0.8)
  })

  test('says the same twice', async () => {
    const [{ seconds: _, ...first }, { seconds: __, ...second }] = [await run(waveTask), await run(waveTask)]
    expect(first).toEqual(second)
  })

  test('by a study chooses between learners, and the same ones twice', async () => {
    const task = {
      ...waveTask,
      learner: 'auto',
      learners: ['ridge', 'trees', 'seasonal-naive'],
      trials: 5,
      stride: 3,
    }
    const fixed = { ...task.parameters, trees: { rounds: 5 } }
    const [{ seconds: _, ...first }, { seconds: __, ...second }] = [
      await run({ ...task, parameters: fixed }),
      await run({ ...task, parameters: fixed }),
    ]
    expect(first).toEqual(second)
    expect(first).toMatchObject({ learner: expect.stringMatching(/^(ridge|trees|average)$/), trials: 5 })
  })

  test('by a study says how far the learner of a trial is', async () => {
    const lines: string[] = []
    let time = 0
    const report = createReporter(
      { trials: 4, metric: 'mae' },
      () => (time += 2),
      (line) => lines.push(line),
    )
    report.onStep(1, 'perceptron', { phase: 'train', fraction: 0.5, epoch: 30, loss: 0.25 })
    report.onStep(1, 'perceptron', { phase: 'train', fraction: 0.6, epoch: 31, loss: 0.25 })
    expect(lines).toEqual([])
    report.onStep(1, 'perceptron', { phase: 'train', fraction: 0.7, epoch: 36, loss: 0.2 })
    expect(lines).toEqual([
      expect.stringContaining('trial 2 of 4: perceptron 70 % (train, epoch 36, loss 0.2000)'),
    ])
  })

  test('of a regression learns from the other columns, words among them', async () => {
    const rows = Array.from({ length: 600 }, (_, i) => {
      const kind = ['a', 'b', 'c'][(i * 7) % 3] as string
      return `${(i * 37) % 101},${kind},${((i * 37) % 101) * 2 + (kind === 'b' ? 50 : 0)}`
    })
    await write('plant.csv', ['current,kind,energy', ...rows].join('\n'))
    const plant = {
      name: 'plant',
      kind: 'regression',
      data: 'plant.csv',
      targets: ['energy'],
      covariates: [{ column: 'current' }, { column: 'kind' }],
      split: { by: 'share', validation: 0.2, test: 0.2 },
    }
    const linear = await run({ ...plant, learner: 'ridge' })
    expect(linear.metrics.r2).toBeGreaterThan(0.999)
    const report = await run({
      ...plant,
      learner: 'trees',
      parameters: { trees: { rounds: 60, learningRate: 0.2 } },
    })
    expect(report.rows).toBe(120)
    expect(report.metrics.r2).toBeGreaterThan(0.98)
  })

  test.each([
    ['an unknown learner', { learner: 'oracle' }, 'UNKNOWN_LEARNER'],
    ['an unknown learner to search', { learner: 'auto', learners: ['oracle'] }, 'UNKNOWN_LEARNER'],
    [
      'parameters that the learner does not take',
      { parameters: { ridge: { lambdas: [-1] } } },
      'BAD_PARAMETERS',
    ],
    ['data that is nowhere', { data: 'nowhere.csv' }, 'NO_DATA'],
    [
      'a calendar part that nobody knows',
      { features: [{ name: 'a', calendar: [{ kind: 'moon' }] }] },
      'BAD_TASK',
    ],
    [
      'too little to train on',
      { split: { by: 'rows', train: 60, validation: 20, test: 20 } },
      'TOO_FEW_ROWS',
    ],
  ])('with %s fails by its code', async (_, fields, code) => {
    await expect(run({ ...waveTask, ...fields })).rejects.toMatchObject({ code })
  })
})

const shared = process.env['IMLMA_DATA'] ?? join(import.meta.dirname, '../../../../shared/data')
const absent = existsSync(join(shared, 'ETTh1.csv'))
  ? ''
  : ' (skipped: set IMLMA_DATA to the folder with ETTh1.csv)'

test.skipIf(absent !== '')(
  `the oil temperature of ETTh1, 24 hours ahead, holds its bar${absent}`,
  async () => {
    const taskPath = join(import.meta.dirname, '../../tasks/ett-h1-ot-24.json')
    const report = await backtest({ taskPath, folder, dataFolder: shared, say: () => undefined })
    expect(report).toMatchObject({ ok: true, value: { rows: 2_857 } })
    expect(report.ok && report.value.metrics.mse).toBeLessThanOrEqual(0.026)
  },
)
