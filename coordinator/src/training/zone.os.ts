/** A time zone as a list of offsets, from the tz database of this machine's Node: made once here, so that no gateway needs one. */
import { Failure } from '@imlma/protocol/result'
import type { Zone } from '@imlma/protocol/series'

const hourMs = 3_600_000

/**
 * The offsets of an IANA zone between two times; changes are found to the minute. Cost: one look-up per half day.
 * Throws `Failure` UNKNOWN_ZONE.
 */
export const zoneTransitions = (timeZone: string, from: number, to: number): Zone => {
  let format: Intl.DateTimeFormat
  try {
    format = new Intl.DateTimeFormat('en-US', { timeZone, timeZoneName: 'longOffset' })
  } catch (cause) {
    throw new Failure('UNKNOWN_ZONE', `there is no time zone ${timeZone}`, {
      cause,
      hint: 'name it as in Europe/Berlin',
    })
  }
  const offsetAt = (time: number): number => {
    const name = format.formatToParts(time).find(({ type }) => type === 'timeZoneName')?.value ?? 'GMT'
    const match = /([+-])(\d\d):(\d\d)/.exec(name)
    if (match === null) return 0
    return (match[1] === '-' ? -1 : 1) * (Number(match[2]) * 60 + Number(match[3])) * 60_000
  }
  const zone = [{ from, offsetMs: offsetAt(from) }]
  for (let time = from; time < to; time += 12 * hourMs) {
    if (offsetAt(time) === offsetAt(time + 12 * hourMs)) continue
    let [low, high] = [time, time + 12 * hourMs]
    while (high - low > 60_000) {
      const middle = low + Math.floor((high - low) / 120_000) * 60_000
      if (offsetAt(middle) === offsetAt(time)) low = middle
      else high = middle
    }
    zone.push({ from: high, offsetMs: offsetAt(high) })
  }
  return zone
}
