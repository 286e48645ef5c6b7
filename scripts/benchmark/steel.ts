/**
 * Plain regression on public data: the energy of a steel plant's quarter hour from the other columns without CO2,
 * the first 80 % of rows to learn from, the rest to judge. The last fifth of the rows to learn from stops the trees;
 * the test part is looked at once.
 *
 *   node scripts/benchmark/steel.ts [--json]
 *
 * Reads IMLMA_DATA, or ../shared/data beside the project.
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { errorSumsOf, metricsOf } from '@imlma/protocol/metrics'
import { createLearnerParts, trees } from '@imlma/coordinator/training'
import { readColumns } from './accuracy/csv.ts'

const { values } = parseArgs({ options: { json: { type: 'boolean', default: false } } })
const folder = process.env['IMLMA_DATA'] ?? join(import.meta.dirname, '../../../shared/data')
const file = join(folder, 'Steel_industry_data.csv')
const [rmseMax, r2Min] = [1.13, 0.998] as const

if (!existsSync(file)) {
  console.error(`no data at ${file}: set IMLMA_DATA to the folder with Steel_industry_data.csv`)
  process.exit(2)
}

const numbers = [
  'Lagging_Current_Reactive_Power_kVarh',
  'Leading_Current_Reactive_Power_kVarh',
  'Lagging_Current_Power_Factor',
  'Leading_Current_Power_Factor',
  'NSM',
] as const
/** Numbered in alphabetical order. */
const classes = ['WeekStatus', 'Day_of_week', 'Load_Type'] as const
const names = [...numbers, ...classes]

const table = readColumns(file, ['Usage_kWh', ...names])
const columns = names.map((name) => {
  const cells = table[name]
  if ((numbers as readonly string[]).includes(name)) return cells.map(Number)
  const known = [...new Set(cells)].toSorted()
  return cells.map((cell) => known.indexOf(cell))
})
const targets = table.Usage_kWh.map(Number)

const partOf = (from: number, to: number) => ({
  rows: to - from,
  features: Float32Array.from(
    { length: (to - from) * names.length },
    (_, i) => columns[i % names.length]?.[from + Math.floor(i / names.length)] ?? Number.NaN,
  ),
  targets: Float32Array.from(targets.slice(from, to)),
  series: new Uint32Array(to - from),
  origins: Float64Array.from({ length: to - from }, (_, i) => from + i),
  dropped: { tooManyMissing: 0, covariateMissing: 0, targetMissing: 0 },
})

const testFrom = Math.floor(targets.length * 0.8)
const validationFrom = Math.floor(testFrom * 0.8)
const builder = {
  count: names.length,
  sharedCount: names.length,
  stepCount: 0,
  horizon: 1,
  names,
  roles: names.map(() => 'plain' as const),
}
const startedAt = performance.now()
const trained = await trees.train(
  await createLearnerParts(),
  { builder, train: partOf(0, validationFrom), validation: partOf(validationFrom, testFrom) },
  trees.parametersSchema.parse({}),
  { seed: 1, onProgress: () => undefined, signal: new AbortController().signal },
)
const seconds = (performance.now() - startedAt) / 1_000
const test = partOf(testFrom, targets.length)
const { rmse, r2, mae } = metricsOf(errorSumsOf(trained.forecast(test.features, test.rows), test.targets))
const held = (rmse ?? Infinity) <= rmseMax && (r2 ?? 0) >= r2Min
const result = {
  benchmark: 'steel',
  rmse,
  r2,
  mae,
  validationRmse: metricsOf(trained.validation).rmse,
  trees: trained.parameters.trees,
  rows: { train: testFrom, test: test.rows },
  seconds: Number(seconds.toFixed(1)),
  reference: 'LightGBM default: RMSE 1.133, R² .999',
  bar: { rmseMax, r2Min, held },
}
console.log(values.json ? JSON.stringify(result) : JSON.stringify(result, undefined, 2))
process.exitCode = held ? 0 : 1
