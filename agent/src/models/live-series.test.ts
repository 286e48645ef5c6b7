import { expect, test } from 'vitest'
import { checkLiveSeries, type LiveSeries } from './live-series.ts'

const forecast = { register: '1-0:1.29.0', intervalMs: 900_000, unit: 'kWh' }
const fitting: LiveSeries = { ...forecast }

test.each<[string, readonly LiveSeries[]]>([
  ['what is brought as it is forecast', [fitting]],
  ['a gateway without sources', []],
  ['a register that nobody brings', [{ ...fitting, register: '1-0:2.29.0', intervalMs: 60_000, unit: 'W' }]],
  ['a unit that nobody named', [{ ...fitting, unit: null }]],
  ['one source of several that brings it', [{ ...fitting, intervalMs: 60_000 }, fitting]],
])('%s is no objection', (_, live) => {
  expect(checkLiveSeries(forecast, live).ok).toBe(true)
})

test.each<[string, Partial<LiveSeries>, string]>([
  ['interval', { intervalMs: 3_600_000 }, 'every 3600 s in kWh'],
  ['interval without a unit', { intervalMs: 60_000, unit: null }, 'every 60 s in no unit that was named'],
  ['unit', { unit: 'Wh' }, 'every 900 s in Wh'],
])('another %s is a mismatch that says what differs', (_, other, said) => {
  const series = { ...fitting, ...other }
  expect(checkLiveSeries(forecast, [series, series])).toMatchObject({
    refusal: {
      code: 'CONTRACT_MISMATCH',
      message: `the model forecasts 1-0:1.29.0 every 900 s in kWh; here it comes ${said}`,
    },
  })
})
