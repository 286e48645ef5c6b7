/**
 * Where is an acquisition highest? Many places are looked at, the best few are climbed: gradient steps over the continuous
 * axes in turn with single moves over integers and categories, because the one has no gradient and the other no end.
 */
import type { Acquisition } from './acquisition.ts'
import type { Encoding } from './encoding.ts'
import { minimise } from './minimise.ts'
import type { Random } from './random.ts'
import { sobolPoints } from './sobol.ts'

/** A box around a centre: half its side on each continuous axis, and how often another category is tried. */
export interface Region {
  readonly centre: Float64Array
  readonly reach: Float64Array
}

export interface SearchOptions {
  readonly encoding: Encoding
  readonly random: Random
  /** Points that candidates are drawn around: the incumbents. */
  readonly around: readonly Float64Array[]
  readonly region?: Region
  /** Places that are looked at before the best are climbed. */
  readonly candidates: number
  readonly climbs: number
  readonly evaluationsMax: number
}

export interface Found {
  readonly point: Float64Array
  readonly value: number
}

/** Levels up to this are tried one by one; longer integer axes are tried nearby and at random. */
const levelsTriedMax = 24

/** Rounds of gradient steps and single moves; the second rarely finds more. */
const roundsMax = 3

/** A point within `reach` of a centre on some of its axes. */
const nearby = (
  { encoding, random }: SearchOptions,
  centre: Float64Array,
  reach: (axis: number) => number,
  share: number,
): Float64Array => {
  const always = random.below(centre.length)
  return encoding.snap(
    centre.map((at, d) => {
      if (d !== always && random.uniform() > share) return at
      const { nominal, levels } = encoding.axes[d]!
      if (nominal) return random.uniform() < 0.5 ? at : random.below(levels)
      return Math.min(1, Math.max(0, at + reach(d)))
    }),
  )
}

const candidatesOf = (options: SearchOptions): readonly Float64Array[] => {
  const { encoding, random, around, region, candidates } = options
  const half = Math.ceil(candidates / 2)
  const even = sobolPoints(encoding.axes.length, random.below(2 ** 31), half)
  if (region !== undefined) {
    const inside = even.map((cube) =>
      encoding.snap(
        region.centre.map((at, d) => {
          const { nominal, levels } = encoding.axes[d]!
          if (nominal) return cube[d]! < 0.2 ? Math.min(levels - 1, Math.floor(cube[d]! * 5 * levels)) : at
          return Math.min(1, Math.max(0, at + (2 * cube[d]! - 1) * region.reach[d]!))
        }),
      ),
    )
    const sparse = Array.from({ length: half }, () =>
      nearby(options, region.centre, (d) => (2 * random.uniform() - 1) * region.reach[d]!, 0.4),
    )
    return [...inside, ...sparse]
  }
  const local = around.flatMap((centre) =>
    Array.from({ length: Math.ceil(half / around.length) }, () => {
      const spread = 10 ** (-3 + 2.5 * random.uniform())
      return nearby(options, centre, () => spread * random.normal(), 0.5)
    }),
  )
  return [...even.map((cube) => encoding.fromCube(cube)), ...local]
}

/** Gradient steps over the floats that exist at `start`. */
const slide = (acquisition: Acquisition, start: Found, options: SearchOptions): Found => {
  const { encoding, region, evaluationsMax } = options
  const present = encoding.presentAt(start.point)
  const moving = encoding.axes.flatMap(({ levels }, d) => (levels === Infinity && present[d] ? [d] : []))
  if (moving.length === 0) return start
  const point = start.point.slice()
  const slopes = new Float64Array(point.length)
  const objective = (x: Float64Array, gradient: Float64Array): number => {
    for (const [i, d] of moving.entries()) point[d] = x[i]!
    const value = acquisition(point, slopes)
    for (const [i, d] of moving.entries()) gradient[i] = -slopes[d]!
    return Number.isNaN(value) ? Infinity : -value
  }
  const edge = (side: -1 | 1) =>
    moving.map((d) => {
      const at = region === undefined ? (side + 1) / 2 : region.centre[d]! + side * region.reach[d]!
      return Math.min(1, Math.max(0, at))
    })
  const from = Float64Array.from(moving, (d) => start.point[d]!)
  const { x, value } = minimise(objective, from, {
    low: edge(-1),
    high: edge(1),
    evaluationsMax,
    gainMin: 1e-7,
  })
  for (const [i, d] of moving.entries()) point[d] = x[i]!
  return -value > start.value ? { point, value: -value } : start
}

/** Every place worth trying on one axis with few levels; a few on one with many. */
const placesOn = (axis: number, { point }: Found, { encoding, random }: SearchOptions): readonly number[] => {
  const { levels, nominal } = encoding.axes[axis]!
  if (nominal) return Array.from({ length: levels }, (_, level) => level)
  if (levels <= levelsTriedMax) return Array.from({ length: levels }, (_, level) => (level + 0.5) / levels)
  const steps = [1, 2, 5, 10, 30].flatMap((step) => [-step, step])
  return [...steps.map((step) => point[axis]! + step / levels), random.uniform(), random.uniform()]
}

/** The best single move over integers and categories, each axis once. */
const hop = (acquisition: Acquisition, start: Found, options: SearchOptions): Found => {
  const { encoding } = options
  const present = encoding.presentAt(start.point)
  let best = start
  for (const [d, { levels }] of encoding.axes.entries()) {
    if (levels === Infinity || !present[d]) continue
    for (const place of placesOn(d, best, options)) {
      const moved = encoding.snap(
        best.point.map((at, i) =>
          i === d ? Math.min(Math.max(place, 0), encoding.axes[d]!.nominal ? levels - 1 : 1) : at,
        ),
      )
      const value = acquisition(moved)
      if (value > best.value) best = { point: moved, value }
    }
  }
  return best
}

const climb = (acquisition: Acquisition, start: Found, options: SearchOptions): Found => {
  const stepped = options.encoding.axes.some(({ levels }) => levels !== Infinity)
  let best = slide(acquisition, start, options)
  for (let round = stepped ? 0 : roundsMax; round < roundsMax; round++) {
    const hopped = hop(acquisition, best, options)
    if (hopped.value <= best.value) break
    best = slide(acquisition, hopped, options)
  }
  return best
}

/** The highest place found; undefined where every place is closed. Cost: `candidates` values plus `climbs` × `evaluationsMax` gradients. */
export const searchMaximum = (acquisition: Acquisition, options: SearchOptions): Found | undefined => {
  const looked = [...options.around, ...candidatesOf(options)]
    .map((point): Found => ({ point, value: acquisition(point) }))
    .filter(({ value }) => value > -Infinity)
    .toSorted((a, b) => b.value - a.value)
  return looked
    .slice(0, options.climbs)
    .map((start) => climb(acquisition, start, options))
    .toSorted((a, b) => b.value - a.value)[0]
}
