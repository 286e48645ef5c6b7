/** Numbers as people read them, the same in every sentence. */

/** Three significant digits, the way an operator reads them aloud; large numbers keep every digit before the point. */
export const figure = (value: number | null): string => {
  if (value === null || !Number.isFinite(value)) return '–'
  const magnitude = Math.abs(value)
  if (magnitude >= 100) return grouped(Math.round(value))
  if (magnitude === 0) return '0'
  if (magnitude < 1e-4) return value.toExponential(2)
  return String(Number(value.toPrecision(3)))
}

/** Thousands set apart by commas, at most three digits after the point. */
export const grouped = (value: number): string => {
  const [whole = '', fraction] = String(Math.round(value * 1_000) / 1_000).split('.')
  const separated = whole.replaceAll(/\B(?=(\d{3})+$)/g, ',')
  return fraction === undefined ? separated : `${separated}.${fraction}`
}

/** The day, in UTC. */
export const printDay = (at: number): string => new Date(at).toISOString().slice(0, 10)
