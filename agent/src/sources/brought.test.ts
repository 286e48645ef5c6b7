import { expect, test } from 'vitest'
import { broughtBy } from './brought.ts'
import { sourceConfigsSchema, type SourceConfig } from './config.ts'

const configOf = (config: unknown): SourceConfig => sourceConfigsSchema.parse([config])[0] as SourceConfig

test('a mapping brings its registers in the units in which they are kept', () => {
  const config = configOf({
    kind: 'modbus',
    name: 'feeder',
    host: '127.0.0.1',
    meter: 'feeder-1',
    everyMs: 1_000,
    values: [
      { register: 'converted', unit: 'Wh', to: 'kWh', address: 0, aggregate: 'difference' },
      { register: 'made of power', unit: 'kW', address: 1, aggregate: 'energy', intervalMs: 60_000 },
      { register: 'unnamed', address: 2, aggregate: 'last' },
    ],
  })
  expect(broughtBy(config, { series: [] })).toEqual([
    { register: 'converted', intervalMs: 900_000, unit: 'kWh' },
    { register: 'made of power', intervalMs: 60_000, unit: 'kWh' },
    { register: 'unnamed', intervalMs: 900_000, unit: null },
  ])
})

test('a source that knows its meters says itself what it brings', () => {
  const series = [{ meter: 'm', register: 'r', intervalMs: 900_000, unit: 'kWh' }]
  const config = configOf({ kind: 'simulated', name: 'all', meters: 1 })
  expect(broughtBy(config, { series })).toEqual(series)
})
