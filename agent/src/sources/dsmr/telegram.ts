/**
 * What a P1 telegram says: values by OBIS reference, each with its unit and, for a sub-meter that reports once in a while,
 * with a time of its own (DSMR P1 Companion Standard 5.0.2, "Representation of P1 telegram").
 */

export interface TelegramValue {
  readonly value: number
  readonly unit: string | undefined
  /** Of a sub-meter's value; otherwise the telegram's time holds. */
  readonly at: number | undefined
}

export interface Telegram {
  readonly values: ReadonlyMap<string, TelegramValue>
  /** UTC epoch milliseconds; undefined where the meter gives none. */
  readonly at: number | undefined
  /** Serial number of the meter, as it is printed on it. */
  readonly equipment: string | undefined
}

const lineForm = /^(\d{1,3}-\d{1,3}:\d{1,3}\.\d{1,3}\.\d{1,3})(?:\*255)?((?:\([^()]{0,2048}\))+)$/
const valueForm = /^(-?\d{1,12}(?:\.\d{1,9})?)(?:\*([A-Za-z0-9]{1,8}))?$/

const timeReference = '0-0:1.0.0'
const equipmentReference = '0-0:96.1.1'

/** Lines that are none are left out: meters of every country add some of their own. */
export const parseTelegram = (text: string): Telegram => {
  const values = new Map<string, TelegramValue>()
  let at: number | undefined
  let equipment: string | undefined
  for (const line of text.split(/\r?\n/)) {
    const match = lineForm.exec(line.trim())
    if (match === null) continue
    const [, reference = '', written = ''] = match
    const groups = written.slice(1, -1).split(')(')
    const last = groups.at(-1) ?? ''
    if (reference === timeReference) at = parseTimestamp(last)
    else if (reference === equipmentReference) equipment = fromHex(last)
    else {
      const number = valueForm.exec(last)
      // A reference that comes twice is a log, not a reading.
      if (number === null || groups.length > 2 || values.has(reference)) continue
      const own = groups.length === 2 ? parseTimestamp(groups[0] ?? '') : undefined
      if (groups.length === 2 && own === undefined) continue
      values.set(reference, { value: Number(number[1]), unit: number[2], at: own })
    }
  }
  return { values, at, equipment }
}

/** `YYMMDDhhmmssX`, local time, X = S in summer and W in winter (Central European). */
export const parseTimestamp = (text: string): number | undefined => {
  const match = /^(\d{2})(\d{2})(\d{2})(\d{2})(\d{2})(\d{2})([SW])$/.exec(text)
  if (match === null) return undefined
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = match.slice(1, 7).map(Number)
  const midnight = Date.UTC(2_000 + year, month - 1, day)
  const isDate = month >= 1 && month <= 12 && new Date(midnight).getUTCDate() === day
  if (!isDate || hour > 23 || minute > 59 || second > 59) return undefined
  return midnight + ((hour - (match[7] === 'S' ? 2 : 1)) * 3_600 + minute * 60 + second) * 1_000
}

/** Text as pairs of hexadecimal digits; itself where it is none. */
const fromHex = (text: string): string | undefined => {
  if (text === '') return undefined
  if (!/^(?:[0-9A-Fa-f]{2})+$/.test(text)) return text
  const decoded = (text.match(/../g) ?? [])
    .map((pair) => String.fromCharCode(Number.parseInt(pair, 16)))
    .join('')
  return /^[\x20-\x7e]+$/.test(decoded) ? decoded : text
}
