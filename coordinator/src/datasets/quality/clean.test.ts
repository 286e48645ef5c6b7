import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { dayMs, type Zone } from '@imlma/protocol/series'
import { describe, expect, test } from 'vitest'
import { zoneTransitions } from '../../training/zone.os.ts'
import { qualityChecks, tallyOf, type QualityCheck } from './checks.ts'
import { inspectSeries } from './inspect.ts'
import { toRules } from './rules.ts'

const folder = process.env['IMLMA_DATA'] ?? join(import.meta.dirname, '../../../../../shared/data')
const hourMs = 3_600_000

/** Share of clean values that may be flagged, per check. */
const falseShareMax = 0.005

const inspectColumn = (file: string, column: string, start: number, intervalMs: number, timeZone: string) => {
  const [head, ...lines] = readFileSync(join(folder, file), 'utf8').trim().split(/\r?\n/)
  const at = head!.split(',').indexOf(column)
  const values = Float32Array.from(lines, (line) => Number(line.split(',')[at]))
  const end = start + values.length * intervalMs
  const zone: Zone = zoneTransitions(timeZone, start - 2 * dayMs, end + 2 * dayMs)
  const rules = toRules({ meter: 'm', register: column, intervalMs, zone })
  return { mask: inspectSeries({ start, intervalMs, values }, rules), values }
}

const expectClean = (mask: Uint16Array<ArrayBuffer>): void => {
  const { flagged } = tallyOf(mask)
  const toShare = (check: QualityCheck): number => (flagged[check] ?? 0) / mask.length
  expect(qualityChecks.filter((check) => toShare(check) > falseShareMax)).toEqual([])
}

describe.skipIf(!existsSync(folder))('real series (skipped without IMLMA_DATA or ../shared/data)', () => {
  test.each(['Demand', 'Temperature'])('Victoria’s %s is left as it is', (column) => {
    const start = Date.UTC(2011, 11, 31, 13)
    const { mask } = inspectColumn('vic_electricity.csv', column, start, hourMs / 2, 'Australia/Melbourne')
    expectClean(mask)
  })

  test.each([
    'Usage_kWh',
    'Lagging_Current_Reactive_Power_kVarh',
    'Leading_Current_Reactive_Power_kVarh',
    'Lagging_Current_Power_Factor',
    'Leading_Current_Power_Factor',
  ])('a steel plant’s %s is left as it is', (column) => {
    const start = Date.UTC(2018, 0, 1) + hourMs / 4 - 9 * hourMs
    const { mask } = inspectColumn('Steel_industry_data.csv', column, start, hourMs / 4, 'Asia/Seoul')
    expectClean(mask)
  })

  // On the 31st of a month this set repeats one value all day, in all seven columns, and it says zero from the 5th to
  // the 8th of December 2016; two of them stand still for six days in July 2017. No transformer does that.
  test.each(['HUFL', 'HULL', 'MUFL', 'MULL', 'LUFL', 'LULL', 'OT'])(
    'a transformer’s %s is flagged where it was filled in, and hardly anywhere else',
    (column) => {
      const start = Date.UTC(2016, 6, 1)
      const { mask, values } = inspectColumn('ETTh1.csv', column, start, hourMs, 'Asia/Shanghai')
      const isFilled = (i: number): boolean => {
        const first = Math.floor(i / 24) * 24
        const same = values.subarray(first, first + 24).every((value) => value === values[first])
        return new Date(start + i * hourMs).getUTCDate() === 31 && same
      }
      const stuckFrom = Date.UTC(2017, 6, 23)
      const isStuck = (i: number): boolean => Math.floor((start + i * hourMs - stuckFrom) / dayMs / 7) === 0
      const filled = [...mask.keys()].filter(isFilled)
      expect(filled.length).toBeGreaterThanOrEqual(12 * 24)
      expect(filled.filter((i) => mask[i] === 0)).toEqual([])
      expectClean(mask.map((found, i) => (isFilled(i) || isStuck(i) || values[i] === 0 ? 0 : found)))
    },
  )
})
