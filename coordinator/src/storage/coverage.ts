/**
 * Which batches of one agent are here: everything up to `acknowledged`, islands above it, and holes that will never
 * be filled. Pure arithmetic on sequences; the batches themselves are elsewhere.
 *
 *   1 2 3 4 5 6 7 8 9
 *   ■ ■ · ■ ■ · · ■ ·     3 is missing (declared lost), acknowledged = 5, ahead = [8, 8], highest = 8
 */

/** Sequences `first … last`, both included. */
export interface SequenceRange {
  readonly first: number
  readonly last: number
}

export interface Coverage {
  /** Everything up to and with this sequence is stored, or is known to be lost. */
  readonly acknowledged: number
  readonly highest: number
  /** Batches that were declared lost and did not come after all. */
  readonly lost: number
  /** Stored above `acknowledged + 1`: ascending, apart from each other. */
  readonly ahead: readonly SequenceRange[]
  /** Lost at or below `acknowledged`: ascending, the latest `rangesMax`. A late arrival is still taken. */
  readonly missing: readonly SequenceRange[]
}

/**
 * Ranges that one agent may leave open. An honest agent has at most one per batch in flight (64); more is noise that
 * would make every acceptance slower.
 */
export const rangesMax = 256

export const emptyCoverage: Coverage = { acknowledged: 0, highest: 0, lost: 0, ahead: [], missing: [] }

export const isStored = ({ acknowledged, ahead, missing }: Coverage, seq: number): boolean =>
  seq <= acknowledged ? !isWithin(missing, seq) : isWithin(ahead, seq)

/** False when storing `seq` would open more ranges than an agent may have. */
export const hasRoomFor = ({ acknowledged, ahead }: Coverage, seq: number): boolean =>
  seq <= acknowledged + 1 ||
  ahead.length < rangesMax ||
  ahead.some(({ first, last }) => seq === first - 1 || seq === last + 1)

/** Coverage with `seq` stored. A sequence that is stored already changes nothing. */
export const addSequence = (coverage: Coverage, seq: number): Coverage => {
  if (isStored(coverage, seq)) return coverage
  if (seq <= coverage.acknowledged) {
    return { ...coverage, lost: coverage.lost - 1, missing: without(coverage.missing, seq) }
  }
  return absorb({
    ...coverage,
    highest: Math.max(coverage.highest, seq),
    ahead: withSequence(coverage.ahead, seq),
  })
}

/** The agent holds nothing below `oldest`: what is not here by now is lost, and acknowledging moves on. */
export const declareOldest = (coverage: Coverage, oldest: number): Coverage => {
  const { acknowledged, ahead } = coverage
  if (oldest <= acknowledged + 1) return coverage
  const holes: SequenceRange[] = []
  let next = acknowledged + 1
  for (const { first, last } of ahead) {
    if (first >= oldest) break
    if (first > next) holes.push({ first: next, last: first - 1 })
    next = last + 1
  }
  if (next < oldest) holes.push({ first: next, last: oldest - 1 })
  return absorb({
    acknowledged: Math.max(next, oldest) - 1,
    highest: Math.max(coverage.highest, oldest - 1),
    lost: coverage.lost + holes.reduce((sum, { first, last }) => sum + last - first + 1, 0),
    ahead: ahead.filter(({ first }) => first >= oldest),
    missing: [...coverage.missing, ...holes].slice(-rangesMax),
  })
}

/** Islands that touch `acknowledged` become part of it. */
const absorb = (coverage: Coverage): Coverage => {
  const [nearest, ...rest] = coverage.ahead
  if (nearest === undefined || nearest.first !== coverage.acknowledged + 1) return coverage
  return { ...coverage, acknowledged: nearest.last, ahead: rest }
}

const isWithin = (ranges: readonly SequenceRange[], seq: number): boolean =>
  ranges.some(({ first, last }) => first <= seq && seq <= last)

const withSequence = (ranges: readonly SequenceRange[], seq: number): readonly SequenceRange[] => {
  const below = ranges.filter(({ last }) => last < seq)
  const above = ranges.slice(below.length)
  const joinsBelow = below.at(-1)?.last === seq - 1
  const joinsAbove = above[0]?.first === seq + 1
  const joined = {
    first: joinsBelow ? below.at(-1)!.first : seq,
    last: joinsAbove ? above[0]!.last : seq,
  }
  return [...(joinsBelow ? below.slice(0, -1) : below), joined, ...(joinsAbove ? above.slice(1) : above)]
}

const without = (ranges: readonly SequenceRange[], seq: number): readonly SequenceRange[] =>
  ranges.flatMap(({ first, last }) => {
    if (seq < first || seq > last) return [{ first, last }]
    return [
      { first, last: seq - 1 },
      { first: seq + 1, last },
    ].filter((range) => range.first <= range.last)
  })
