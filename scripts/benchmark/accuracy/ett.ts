/** Oil temperature of a transformer, 24 to 96 hours ahead, in units of the training part's standard deviation. */
import { join } from 'node:path'
import { featureSpecSchema } from '@imlma/protocol/features'
import { utc } from '@imlma/protocol/series'
import { readColumns } from './csv.ts'
import type { Task } from './task.ts'

const hourMs = 3_600_000
const start = Date.UTC(2016, 6, 1)
const [trainRows, validationRows, testRows] = [8_640, 2_880, 2_880]

/** Standardised by mean and population standard deviation of the training rows. */
const standardise = (values: readonly number[]): Float32Array => {
  const train = values.slice(0, trainRows)
  const mean = train.reduce((sum, value) => sum + value, 0) / trainRows
  const deviation = Math.sqrt(train.reduce((sum, value) => sum + (value - mean) ** 2, 0) / trainRows)
  return Float32Array.from(
    values.slice(0, trainRows + validationRows + testRows),
    (value) => (value - mean) / deviation,
  )
}

const at = (row: number): number => start + row * hourMs

export const ettTasks = (folder: string): readonly Task[] => {
  const { OT } = readColumns(join(folder, 'ETTh1.csv'), ['OT'])
  const series = [
    { meter: 'transformer', register: 'OT', intervalMs: hourMs, start, values: standardise(OT.map(Number)) },
  ]
  const specOf = (horizon: number) =>
    featureSpecSchema.parse({
      v: 1,
      intervalMs: hourMs,
      horizon,
      seasonSteps: 24,
      missingMax: 24,
      zone: [...utc],
      holidays: [],
      shared: [{ kind: 'lags', lags: Array.from({ length: 336 }, (_, i) => i + 1) }],
      step: [],
    })
  return [
    { horizon: 24, bar: 0.0262, stretch: 0.026, reference: 'Informer .098, least squares .0260' },
    { horizon: 48, bar: 0.0384, stretch: 0.0384, reference: 'Informer .158, least squares .0384' },
    { horizon: 96, bar: 0.0535, stretch: 0.0531, reference: 'NLinear .053, least squares .0531' },
  ].map(({ horizon, ...rest }) => ({
    ...rest,
    name: `ETTh1 OT, ${horizon} hours`,
    metric: 'mse',
    unit: 'σ²',
    content: { series, covariates: [] },
    split: {
      train: { start, end: at(trainRows) },
      validation: { start: at(trainRows), end: at(trainRows + validationRows) },
    },
    test: { start: at(trainRows + validationRows), end: at(trainRows + validationRows + testRows) },
    originStride: 1,
    candidates: [
      {
        name: 'last value, look-back 336',
        spec: specOf(horizon),
        parameters: { form: 'shared', normalisation: { level: 'last', scale: 'none' }, refit: false },
      },
    ],
  }))
}
