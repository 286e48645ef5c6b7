/**
 * How many readings a second go through all quality checks of a snapshot? A year of quarter hours of many simulated
 * meters with every kind of fault in them, one core, nothing left out: masks, counts, and the flagged values made
 * missing. For comparison, the time it takes to only copy the same columns.
 *
 *   node scripts/benchmark/quality.ts [--meters 60] [--rounds 7] [--json]
 */

import { parseArgs } from 'node:util'
import {
  inspectSeries,
  keepOut,
  qualityDefaults,
  tallyOf,
  toRules,
  type FlagCounts,
} from '@imlma/coordinator/datasets'
import { zoneTransitions } from '@imlma/coordinator/training'
import { faultyMeter } from './quality/meters.ts'

const bar = 20_000_000
const intervalMs = 900_000
const start = Date.UTC(2024, 0, 1)
const length = 35_040

const { values: options } = parseArgs({
  options: {
    meters: { type: 'string', default: '60' },
    rounds: { type: 'string', default: '7' },
    json: { type: 'boolean', default: false },
  },
})
const meters = Math.min(1_000, Math.max(1, Number(options.meters)))
const rounds = Math.min(101, Math.max(5, Number(options.rounds)))

const zone = zoneTransitions('Europe/Berlin', start - 86_400_000, start + (length + 96) * intervalMs)
const columns = Array.from({ length: meters }, (_, seed) => faultyMeter(seed + 1, length))
const rules = toRules(
  { meter: 'm', register: '1-0:1.29.0', intervalMs, unit: 'kWh', zone },
  { ...qualityDefaults, ratedPower: 60 },
)

const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[values.length >> 1] as number

const flagged: FlagCounts = {}
const round = (
  counted: boolean,
): { readonly checks: number; readonly cpu: number; readonly copies: number } => {
  const copyStart = performance.now()
  const copies = columns.map((values) => values.slice())
  const checkStart = performance.now()
  const cpuStart = process.cpuUsage()
  for (const values of copies) {
    const mask = inspectSeries({ start, intervalMs, values }, rules)
    const tally = tallyOf(mask)
    keepOut(values, mask)
    if (!counted) continue
    for (const [check, count] of Object.entries(tally.flagged) as [keyof FlagCounts, number][])
      flagged[check] = (flagged[check] ?? 0) + count
  }
  const { user, system } = process.cpuUsage(cpuStart)
  return {
    checks: performance.now() - checkStart,
    cpu: (user + system) / 1_000,
    copies: checkStart - copyStart,
  }
}

round(true)
const timed = Array.from({ length: rounds }, () => round(false))
const readings = meters * length
const perSecond = timed.map(({ checks }) => Math.round((readings / checks) * 1_000))
const result = {
  meters,
  readings,
  rounds,
  readingsPerSecondMedian: median(perSecond),
  readingsPerSecondMin: Math.min(...perSecond),
  readingsPerSecondMax: Math.max(...perSecond),
  /** What one core would do that nobody else wants a part of. */
  readingsPerCpuSecondMedian: Math.round((readings / median(timed.map(({ cpu }) => cpu))) * 1_000),
  copyingPerSecondMedian: Math.round((readings / median(timed.map(({ copies }) => copies))) * 1_000),
  bar,
  flagged,
  held: median(perSecond) >= bar,
}
console.log(JSON.stringify(result, null, options.json ? undefined : 2))
process.exitCode = result.held ? 0 : 1
