/**
 * The checks that every reading goes through before it may train, one bit each, so that a series' findings are one
 * column beside its values: a reading may fail several, and nothing is decided before all have looked.
 */

export const qualityChecks = [
  'gap',
  'duplicate',
  'daylight-saving',
  'counter-reset',
  'roll-over',
  'negative',
  'frozen',
  'implausible',
  'over-rated',
] as const
export type QualityCheck = (typeof qualityChecks)[number]

/** Bit `i` belongs to `qualityChecks[i]`; 0 is a reading that nothing was found against. */
export type QualityMask = Uint16Array<ArrayBuffer>

export const bits = {
  gap: 1,
  duplicate: 2,
  daylightSaving: 4,
  counterReset: 8,
  rollOver: 16,
  negative: 32,
  frozen: 64,
  implausible: 128,
  overRated: 256,
} as const

export type FlagCounts = Partial<Record<QualityCheck, number>>

export interface Tally {
  /** Readings per check; one that failed several is counted at each. Checks that found nothing are left out. */
  readonly flagged: FlagCounts
  /** Readings that nothing was found against. */
  readonly sound: number
}

export const tallyOf = (mask: QualityMask): Tally => {
  const patterns = new Uint32Array(1 << qualityChecks.length)
  let found = 0
  for (let i = 0; i < mask.length; i++) {
    const pattern = mask[i] as number
    if (pattern === 0) continue
    patterns[pattern] = (patterns[pattern] as number) + 1
    found += 1
  }
  const flagged: FlagCounts = {}
  patterns.forEach((count, pattern) => {
    if (count === 0) return
    qualityChecks.forEach((check, bit) => {
      if ((pattern & (1 << bit)) !== 0) flagged[check] = (flagged[check] ?? 0) + count
    })
  })
  return { flagged, sound: mask.length - found }
}

/** Makes every flagged value of the column missing, in place. */
export const keepOut = (values: Float32Array, mask: QualityMask): void => {
  for (let i = 0; i < mask.length; i++) if (mask[i] !== 0) values[i] = Number.NaN
}
