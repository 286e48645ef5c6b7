/** Numbers, durations and times the way an operator reads them. Pure. */

const integers = new Intl.NumberFormat('en-GB')

/** Three significant digits below 100 (so that a column's figures line up), whole numbers above; `–` where there is nothing. */
export const toFigure = (value: number | null | undefined): string => {
  if (value === null || value === undefined || !Number.isFinite(value)) return '–'
  const magnitude = Math.abs(value)
  if (magnitude >= 100) return withMinus(integers.format(Math.round(value)))
  if (magnitude === 0) return '0'
  return withMinus(magnitude < 0.001 ? value.toExponential(1) : value.toPrecision(3))
}

/** A figure on an axis: no digits that say nothing. */
export const toTick = (value: number): string =>
  withMinus(Math.abs(value) >= 1_000 ? integers.format(value) : String(Number(value.toPrecision(4))))

/** The minus sign is as wide as a digit, the hyphen is not. */
const withMinus = (text: string): string => text.replace(/^-/, '−')

export const toCount = (value: number | null | undefined): string =>
  value === null || value === undefined ? '–' : integers.format(value)

/** R² always with three digits after the point: its differences are in the last one. */
export const toRSquared = (value: number | null | undefined): string =>
  value === null || value === undefined ? '–' : withMinus(value.toFixed(3))

/** Signed percentage of a ratio. */
export const toChange = (ratio: number | null): string =>
  ratio === null
    ? '–'
    : `${ratio > 0 ? '+' : ratio < 0 ? '−' : '±'}${Math.abs(ratio * 100).toFixed(1)}\u{a0}%`

export const toBytes = (bytes: number): string => {
  if (bytes < 1_000) return `${bytes} B`
  if (bytes < 1_000_000) return `${toFigure(bytes / 1_000)} kB`
  return `${toFigure(bytes / 1_000_000)} MB`
}

/** A span of time with two parts at most: `12 s`, `2 min 20 s`, `2 h 5 min`, `3 d 4 h`. */
export const toSpan = (ms: number): string => {
  const seconds = Math.max(0, Math.round(ms / 1_000))
  if (seconds < 60) return `${seconds} s`
  const minutes = Math.floor(seconds / 60)
  if (minutes < 3 && seconds % 60 > 0) return `${minutes} min ${seconds % 60} s`
  if (minutes < 60) return `${minutes} min`
  const hours = Math.floor(minutes / 60)
  if (hours < 24) return minutes % 60 > 0 ? `${hours} h ${minutes % 60} min` : `${hours} h`
  const days = Math.floor(hours / 24)
  return hours % 24 > 0 ? `${days} d ${hours % 24} h` : `${days} d`
}

/** Milliseconds of one forecast: microseconds below one. */
export const toLatency = (ms: number | null | undefined): string => {
  if (ms === null || ms === undefined) return '–'
  return ms < 1 ? `${Math.round(ms * 1_000)} µs` : `${toFigure(ms)} ms`
}

/** `3 min ago`, `now`, `in 12 min`. */
export const toRelative = (at: number, now: number): string => {
  const difference = now - at
  if (Math.abs(difference) < 2_000) return 'now'
  return difference > 0 ? `${toSpan(difference)} ago` : `in ${toSpan(-difference)}`
}

const exact = new Intl.DateTimeFormat('en-GB', { dateStyle: 'medium', timeStyle: 'medium' })
const clock = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit' })
const day = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short' })
const dayAndClock = new Intl.DateTimeFormat('en-GB', {
  day: 'numeric',
  month: 'short',
  hour: '2-digit',
  minute: '2-digit',
})

export const toExact = (at: number): string => `${exact.format(at)} (${new Date(at).toISOString()})`
export const toClock = (at: number): string => clock.format(at)
export const toDay = (at: number): string => day.format(at)
export const toDayAndClock = (at: number): string => dayAndClock.format(at)

/** Interval of a series: `15 min`. */
export const toInterval = (ms: number): string => toSpan(ms)
