/** When a sample was taken, from whatever stands for a time in a document. */

import { parseTime, type TimeFormat } from '../time-format.ts'

/** Numbers below are epoch seconds: as milliseconds they would be in 1973. */
const epochSecondsMax = 1e11

/** Times before 2000 and after 2100 are those of a device that has lost its clock. */
const earliest = 946_684_800_000
const latest = 4_102_444_800_000

const zoned: readonly TimeFormat[] = ['iso-zone', 'epoch-ms', 'epoch-s']

/** UTC epoch milliseconds; NaN where it is none. Times without a zone need the offset of local time from UTC. */
export const toInstant = (value: unknown, offsetMs: number | undefined): number => {
  const at = instantOf(value, offsetMs)
  return at >= earliest && at < latest ? at : Number.NaN
}

const instantOf = (value: unknown, offsetMs: number | undefined): number => {
  if (value instanceof Date) return value.getTime()
  if (typeof value === 'bigint') return instantOf(Number(value), offsetMs)
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) return Number.NaN
    return Math.round(value < epochSecondsMax ? value * 1_000 : value)
  }
  if (typeof value !== 'string' || value.length > 64) return Number.NaN
  const text = value.trim()
  for (const format of zoned) {
    const at = parseTime(format, text, 0)
    if (!Number.isNaN(at)) return at
  }
  return offsetMs === undefined ? Number.NaN : parseTime('iso-local', text, offsetMs)
}
