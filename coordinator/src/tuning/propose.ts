/**
 * Which point next? The one of highest expected improvement; and where that has become a polish of what is known, every
 * second time the best of the *other* basins: the surroundings of the incumbent are closed, and the rest of the space is
 * searched as if they did not exist, basin after basin. A seed that fell into the second-best one leaves it that way.
 */
import { createLogImprovement, type Acquisition } from './acquisition.ts'
import { createOutside, type Wanderlust } from './basins.ts'
import type { Encoding } from './encoding.ts'
import type { Evidence } from './evidence.ts'
import type { SecondsBelief, Surrogate } from './fit.ts'
import type { Posterior } from './posterior.ts'
import type { Random } from './random.ts'
import { searchMaximum, type Found, type SearchOptions } from './search.ts'

export interface Proposal {
  readonly point: Float64Array
  readonly purpose: 'improve' | 'explore'
  /** Highest expected improvement anywhere, in deviations of the (warped) values. */
  readonly gain: number
}

export interface ProposalRequest {
  readonly encoding: Encoding
  readonly evidence: Evidence
  readonly surrogate: Surrogate
  readonly seconds: SecondsBelief | undefined
  /** Points of trials that still run. */
  readonly running: readonly Float64Array[]
  /** Points of failed trials. */
  readonly failed: readonly Float64Array[]
  readonly random: Random
  readonly wanderlust: Wanderlust
}

/** Below this expected gain, in deviations, an ask only polishes. */
const polishGain = 1e-4
/** Basins that are closed in one ask. */
const basinsMax = 3

/** A failed configuration closes a ball around it, in units of the axes' ranges. */
export const failureRadius = 0.05

export const areNear = (a: Float64Array, b: Float64Array, nominal: Uint8Array, radius: number): boolean => {
  let squared = 0
  for (let d = 0; d < a.length; d++) {
    if (nominal[d] === 1 && a[d] !== b[d]) return false
    squared += nominal[d] === 1 ? 0 : (a[d]! - b[d]!) ** 2
  }
  return squared <= radius * radius
}

const lowestMean = (posterior: Posterior, points: readonly Float64Array[]): number =>
  Math.min(...points.map((point) => posterior.at(point, false).mean))

/** LogEI, closed at points that were tried, that run, or that are near a failure. */
const openAcquisition = (request: ProposalRequest, posterior: Posterior, incumbent: number): Acquisition => {
  const { encoding, evidence, failed, running, seconds } = request
  const inner = createLogImprovement(posterior, incumbent, seconds)
  const { nominal } = encoding
  // Only in a space of steps and categories is a point likely to be met again.
  const finite = encoding.axes.every(({ levels }) => levels !== Infinity)
  const tried = finite ? [...evidence.points, ...running] : running
  return (point, gradient) =>
    failed.some((at) => areNear(point, at, nominal, failureRadius)) ||
    tried.some((at) => areNear(point, at, nominal, 1e-9))
      ? -Infinity
      : inner(point, gradient)
}

export const propose = (request: ProposalRequest): Proposal | undefined => {
  const { encoding, evidence, surrogate, running, random, wanderlust } = request
  // A running trial counts as if it had turned out as believed, so that a batch spreads.
  const posterior = running.reduce(
    (known, point) => known.with(point, known.at(point, false).mean),
    surrogate.posterior,
  )
  const order = evidence.points
    .map((point, i) => ({ point, value: evidence.values[i]! }))
    .toSorted((a, b) => a.value - b.value)
    .map(({ point }) => point)
  const search = (
    within: readonly Float64Array[],
    isOpen: (point: Float64Array) => boolean,
  ): Found | undefined => {
    const acquisition = openAcquisition(request, posterior, lowestMean(posterior, within))
    return searchMaximum((point, gradient) => (isOpen(point) ? acquisition(point, gradient) : -Infinity), {
      encoding,
      random,
      around: within.slice(0, 5),
      ...effort,
    })
  }

  const first = search(order, () => true)
  if (first === undefined) return undefined
  const gain = gainAt(posterior, lowestMean(posterior, order), first.point)
  const isOutside = createOutside(encoding, surrogate.hyper)
  const centres: Float64Array[] = []
  const isOpen = (point: Float64Array) => centres.every((centre) => isOutside(point, centre))
  const basins = wanderlust === 'none' ? 0 : basinsMax
  let found: Found = first
  let others: readonly Float64Array[] = order
  let leaves = wanderlust === 'now' || first.value < Math.log(polishGain)
  while (leaves && centres.length < basins) {
    centres.push(others[0]!)
    others = order.filter(isOpen)
    if (others.length === 0) break
    found = search(others, isOpen) ?? found
    leaves = found.value < Math.log(polishGain)
  }
  return found === first
    ? { point: first.point, purpose: 'improve', gain }
    : { point: found.point, purpose: 'explore', gain }
}

/** Places looked at and climbed for one acquisition. */
const effort: Pick<SearchOptions, 'candidates' | 'climbs' | 'evaluationsMax'> = {
  candidates: 400,
  climbs: 5,
  evaluationsMax: 30,
}

/** Expected improvement without the cost of time. */
const gainAt = (posterior: Posterior, incumbent: number, point: Float64Array): number =>
  Math.exp(createLogImprovement(posterior, incumbent)(point))
