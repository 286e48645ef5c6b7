/** Tables and spans of time for a terminal. */

export interface Column {
  readonly title: string
  readonly align?: 'right'
}

/** Columns as wide as their widest cell, two spaces apart; the text `none` in place of an empty table. */
export const printTable = (
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  none: string,
): string => {
  if (rows.length === 0) return none
  const widths = columns.map(({ title }, index) =>
    Math.max(title.length, ...rows.map((row) => (row[index] ?? '').length)),
  )
  const line = (cells: readonly string[]): string =>
    columns
      .map(({ align }, index) => {
        const cell = cells[index] ?? ''
        return align === 'right' ? cell.padStart(widths[index] ?? 0) : cell.padEnd(widths[index] ?? 0)
      })
      .join('  ')
      .trimEnd()
  return [line(columns.map(({ title }) => title)), ...rows.map(line)].join('\n')
}

/** `12 s`, `4 min`, `3 h`, `5 d`. */
export const printSpan = (ms: number): string => {
  const seconds = Math.max(0, Math.round(ms / 1_000))
  if (seconds < 120) return `${seconds} s`
  if (seconds < 7_200) return `${Math.round(seconds / 60)} min`
  return seconds < 172_800 ? `${Math.round(seconds / 3_600)} h` : `${Math.round(seconds / 86_400)} d`
}

export const printAgo = (at: number, now: number): string =>
  at > now ? `in ${printSpan(at - now)}` : `${printSpan(now - at)} ago`

/** ISO 8601 in UTC, to the second. */
export const printTime = (at: number): string => `${new Date(at).toISOString().slice(0, 19)}Z`

/** Three digits after the point. */
export const printRSquared = (value: number | null | undefined): string =>
  value === null || value === undefined ? '–' : value.toFixed(3)
