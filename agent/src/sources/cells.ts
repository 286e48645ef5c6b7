/** Numbers as files write them. */

const missing = new Set(['', 'nan', 'na', 'n/a', 'null', 'none', '-', '?', '#n/a'])

const isMissing = (text: string): boolean => missing.has(text.trim().toLowerCase())

/** The number of a cell; NaN where it says that there is none; undefined where it is something else. */
export const parseNumber = (text: string, decimalComma: boolean): number | undefined => {
  const trimmed = text.trim()
  if (isMissing(trimmed)) return Number.NaN
  const written = decimalComma ? trimmed.replace(',', '.') : trimmed
  if (!/^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i.test(written)) return undefined
  const value = Number(written)
  return Number.isFinite(value) ? value : undefined
}

/** The unit at the end of a column's name: `Usage_kWh`, `Demand (MW)`; null where there is none. */
export const unitOf = (name: string): string | null =>
  /(?:^|[\s_([/.-])([kMG]?(?:Wh|W|VAh|VA|[Vv]arh|[Vv]ar|V|A|Hz)|°C|m3|m³)[)\]]?$/.exec(name)?.[1] ?? null

/** True for active energy and power: what a load forecast is about. */
export const isLoadUnit = (unit: string | null): boolean => unit !== null && /^[kMG]?Wh?$/.test(unit)

/** The separator of the header's line; undefined where none stands between two names. */
export const delimiterOf = (header: string): string | undefined => {
  const unquoted = header.replace(/"[^"]*"/g, '')
  const counts = [',', ';', '\t', '|'].map((mark) => ({ mark, count: unquoted.split(mark).length - 1 }))
  const [best] = counts.toSorted((a, b) => b.count - a.count)
  return best !== undefined && best.count > 0 ? best.mark : undefined
}
