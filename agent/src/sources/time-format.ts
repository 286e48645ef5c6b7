/** How times are written in files, and which way a column of them is written. */

export const timeFormats = ['iso-zone', 'iso-local', 'dmy', 'mdy', 'epoch-ms', 'epoch-s'] as const

/** Local forms carry no zone; the file's offset from UTC says what they mean. */
export type TimeFormat = (typeof timeFormats)[number]

const clock = String.raw`(?:[T ]+(\d{1,2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)?)?`
const zone = String.raw`\s*(Z|[+-]\d{2}(?::?\d{2})?)`
const yearFirst = String.raw`(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})`
const yearLast = String.raw`(\d{1,2})[-/.](\d{1,2})[-/.](\d{4})`

const isoZone = new RegExp(`^${yearFirst}${clock}${zone}$`)
const isoLocal = new RegExp(`^${yearFirst}${clock}$`)
const dayOrMonthFirst = new RegExp(`^${yearLast}${clock}$`)

/** Epoch times between 2000 and 2100: other numbers are readings. */
const epochMsMin = 946_684_800_000
const epochMsMax = 4_102_444_800_000

/** UTC epoch milliseconds; NaN where the text is not a time in this format. `offsetMs` is local time minus UTC. */
export const parseTime = (format: TimeFormat, text: string, offsetMs: number): number => {
  switch (format) {
    case 'iso-zone': {
      const match = isoZone.exec(text)
      return match === null ? Number.NaN : toUtc(match, [1, 2, 3]) - zoneMs(match[8] ?? 'Z')
    }
    case 'iso-local':
      return local(isoLocal.exec(text), [1, 2, 3], offsetMs)
    case 'dmy':
      return local(dayOrMonthFirst.exec(text), [3, 2, 1], offsetMs)
    case 'mdy':
      return local(dayOrMonthFirst.exec(text), [3, 1, 2], offsetMs)
    case 'epoch-ms':
      return epoch(text, 1)
    case 'epoch-s':
      return epoch(text, 1_000)
  }
}

/** Every format in which all of the texts are times, the more usual one first. */
export const formatsOf = (texts: readonly string[]): readonly TimeFormat[] =>
  texts.length === 0
    ? []
    : timeFormats.filter((format) => texts.every((text) => !Number.isNaN(parseTime(format, text, 0))))

type Places = readonly [year: number, month: number, day: number]

const local = (match: RegExpExecArray | null, places: Places, offsetMs: number): number =>
  match === null ? Number.NaN : toUtc(match, places) - offsetMs

const toUtc = (match: RegExpExecArray, [yearPlace, monthPlace, dayPlace]: Places): number => {
  const numberAt = (place: number) => Number(match[place] ?? 0)
  const [year, month, day] = [numberAt(yearPlace), numberAt(monthPlace), numberAt(dayPlace)]
  const [hour, minute, second] = [numberAt(4), numberAt(5), numberAt(6)]
  const ms = Math.floor(Number(`0.${match[7] ?? 0}`) * 1_000)
  const midnight = Date.UTC(year, month - 1, day)
  const isDate = new Date(midnight).getUTCDate() === day && month >= 1 && month <= 12
  // 24:00 is how some meters write the end of a day.
  const isClock = (hour < 24 || (hour === 24 && minute === 0 && second === 0)) && minute < 60 && second < 60
  if (!isDate || !isClock) return Number.NaN
  return midnight + ((hour * 60 + minute) * 60 + second) * 1_000 + ms
}

const zoneMs = (text: string): number => {
  if (text === 'Z') return 0
  const sign = text.startsWith('-') ? -1 : 1
  const digits = text.slice(1).replace(':', '')
  return sign * (Number(digits.slice(0, 2)) * 60 + Number(digits.slice(2) || 0)) * 60_000
}

const epoch = (text: string, scale: number): number => {
  if (!/^\d{9,13}$/.test(text)) return Number.NaN
  const ms = Number(text) * scale
  return ms >= epochMsMin && ms < epochMsMax ? ms : Number.NaN
}
