import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { commands } from './commands.ts'
import { openContext } from './context.process.ts'
import { runProgram } from './program.commander.ts'

let folder: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'imlma-cli-backtest-'))
  await mkdir(join(folder, 'elsewhere'))
  const rows = Array.from({ length: 400 }, (_, i) => `${i * 3_600},${Math.sin(i / 4).toFixed(3)}`)
  await writeFile(join(folder, 'elsewhere', 'wave.csv'), ['time,load', ...rows].join('\n'))
  const task = {
    name: 'wave',
    data: 'wave.csv',
    time: { column: 'time', format: 'epoch-seconds' },
    intervalMinutes: 60,
    targets: ['load'],
    context: 24,
    horizon: 2,
    split: { by: 'share', validation: 0.2, test: 0.2 },
    learner: 'ridge',
    parameters: { ridge: { normalisation: { level: 'last', scale: 'none' } } },
  }
  await writeFile(join(folder, 'task.json'), JSON.stringify(task))
  await writeFile(join(folder, 'bad.json'), JSON.stringify({ ...task, horizon: 0 }))
})
afterAll(() => rm(folder, { recursive: true }))

const imlma = async (environment: Record<string, string>, ...words: string[]) => {
  let [out, err] = ['', '']
  const code = await runProgram(
    {
      commands,
      open: (options) => openContext({ folder, environment, options }, (line) => (err += `${line}\n`)),
      terminal: { out: (text) => (out += text), err: (text) => (err += text) },
    },
    words,
  )
  return { code, out, err }
}

test('imlma backtest prints a document with its figures, from data in IMLMA_DATA', async () => {
  const ended = await imlma({ IMLMA_DATA: join(folder, 'elsewhere') }, 'backtest', 'task.json', '--json')
  expect(ended).toMatchObject({ code: 0, err: expect.stringContaining('validation mse') })
  const figure: unknown = expect.any(Number)
  expect(JSON.parse(ended.out)).toMatchObject({
    name: 'wave',
    metrics: { mse: figure, mae: figure, rmse: figure, r2: figure, skill: figure },
    learner: 'ridge',
    parameters: { form: 'per-step', lambda: figure },
    seconds: figure,
  })
})

test('imlma backtest prints text for people', async () => {
  const { code, out } = await imlma({ IMLMA_DATA: 'elsewhere' }, 'backtest', 'task.json')
  expect(code).toBe(0)
  expect(out).toMatch(/R² +0\.9|R² +1/)
})

test('imlma backtest says what is wrong, and where it looked for data', async () => {
  expect(await imlma({}, 'backtest', 'bad.json')).toMatchObject({
    code: 1,
    err: expect.stringMatching(/^BAD_TASK/),
  })
  expect(await imlma({}, 'backtest', 'task.json')).toMatchObject({
    code: 1,
    err: expect.stringMatching(/^NO_DATA.*wave\.csv.*\nhint: /),
  })
  expect(await imlma({}, 'backtest', 'none.json')).toMatchObject({
    code: 1,
    err: expect.stringMatching(/^NO_TASK.*none\.json: ENOENT\nhint: check the path/),
  })
  expect(
    await imlma(
      { IMLMA_DATA: join(folder, 'elsewhere') },
      'backtest',
      'task.json',
      '--plot',
      'no/such/plot.svg',
    ),
  ).toMatchObject({ code: 1, err: expect.stringMatching(/^PLOT_FAILED.*ENOENT\nhint: /m) })
})

test('imlma backtest --help has an example', async () => {
  expect((await imlma({}, 'backtest', '--help')).out).toContain('imlma backtest coordinator/tasks/')
})
