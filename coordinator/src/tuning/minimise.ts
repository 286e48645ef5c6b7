/**
 * A small L-BFGS inside a box: hyper-parameters and acquisition maxima are smooth, few and bounded. A coordinate that
 * rests on its bound and is pushed against it is left out of the direction; steps are cut back onto the box.
 */

/** Value at `x`; writes the gradient into `gradient`. Infinite where the point is impossible. */
export type Objective = (x: Float64Array, gradient: Float64Array) => number

export interface MinimiseOptions {
  readonly low: ArrayLike<number>
  readonly high: ArrayLike<number>
  readonly evaluationsMax: number
  /** Ends when a step gains less than this; absolute. */
  readonly gainMin?: number
}

export interface Minimum {
  readonly x: Float64Array
  readonly value: number
}

/** Pairs that are remembered: more cost time and help little below 40 dimensions. */
const memory = 8

interface Pair {
  readonly step: Float64Array
  readonly change: Float64Array
  readonly curvature: number
}

const dot = (a: Float64Array, b: Float64Array): number => {
  let sum = 0
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!
  return sum
}

const addScaled = (to: Float64Array, from: Float64Array, times: number): void => {
  for (let i = 0; i < to.length; i++) to[i] = to[i]! + times * from[i]!
}

/** −H·g by the two-loop recursion. Source: Nocedal & Wright, "Numerical Optimization", algorithm 7.4. */
const directionOf = (gradient: Float64Array, pairs: readonly Pair[]): Float64Array => {
  const direction = gradient.map((slope) => -slope)
  const weights: number[] = []
  for (const pair of pairs.toReversed()) {
    const weight = dot(pair.step, direction) / pair.curvature
    weights.push(weight)
    addScaled(direction, pair.change, -weight)
  }
  const last = pairs.at(-1)
  if (last !== undefined) {
    const scale = last.curvature / dot(last.change, last.change)
    for (let i = 0; i < direction.length; i++) direction[i] = direction[i]! * scale
  }
  for (const pair of pairs) {
    const weight = weights.pop()! - dot(pair.change, direction) / pair.curvature
    addScaled(direction, pair.step, weight)
  }
  return direction
}

/** The lowest point found from `start`; never worse than the start. */
export const minimise = (objective: Objective, start: Float64Array, options: MinimiseOptions): Minimum => {
  const { low, high, evaluationsMax, gainMin = 1e-9 } = options
  const size = start.length
  const clip = (value: number, i: number) => Math.min(high[i]!, Math.max(low[i]!, value))
  let x = start.map(clip)
  let gradient: Float64Array = new Float64Array(size)
  let value = objective(x, gradient)
  let evaluations = 1
  let pairs: Pair[] = []
  while (evaluations < evaluationsMax && Number.isFinite(value)) {
    const isBlocked = (i: number) =>
      (x[i]! <= low[i]! && gradient[i]! > 0) || (x[i]! >= high[i]! && gradient[i]! < 0)
    const free = gradient.map((slope, i) => (isBlocked(i) ? 0 : slope))
    const steepness = Math.sqrt(dot(free, free))
    if (steepness < 1e-10) break
    let direction = directionOf(free, pairs)
    for (let i = 0; i < size; i++) if (isBlocked(i)) direction[i] = 0
    if (dot(direction, free) > -1e-12 * steepness * Math.sqrt(dot(direction, direction))) {
      pairs = []
      direction = free.map((slope) => -slope)
    }
    let length = pairs.length === 0 ? Math.min(1, 0.2 / steepness) : 1
    const next = new Float64Array(size)
    const nextGradient = new Float64Array(size)
    let nextValue = Infinity
    let accepted = false
    while (evaluations < evaluationsMax && !accepted) {
      let expected = 0
      for (let i = 0; i < size; i++) {
        next[i] = clip(x[i]! + length * direction[i]!, i)
        expected += free[i]! * (next[i]! - x[i]!)
      }
      nextValue = objective(next, nextGradient)
      evaluations++
      accepted = nextValue <= value + 1e-4 * expected
      if (!accepted) length *= Number.isFinite(nextValue) ? 0.4 : 0.1
      if (length < 1e-10) break
    }
    if (!accepted) break
    const step = next.map((to, i) => to - x[i]!)
    const change = nextGradient.map((to, i) => to - gradient[i]!)
    const curvature = dot(step, change)
    if (curvature > 1e-12 * dot(change, change))
      pairs = [...pairs.slice(1 - memory), { step, change, curvature }]
    const gain = value - nextValue
    x = next
    gradient = nextGradient
    value = nextValue
    if (gain < gainMin) break
  }
  return { x, value }
}
