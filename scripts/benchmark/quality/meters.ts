/** Simulated quarter-hour meters with every kind of fault in them; the same ones for the same seed. */

/** Uniform in [0, 1). Source: mulberry32 by Tommy Ettinger, public domain. */
const createRandom = (seed: number): (() => number) => {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}

const daySteps = 96

/** kWh a quarter hour with three decimals, as a meter sends it. */
export const faultyMeter = (seed: number, length: number): Float32Array => {
  const random = createRandom(seed)
  const base = 1 + 4 * random()
  const values = Float32Array.from({ length }, (_, i) => {
    const day = Math.sin((2 * Math.PI * (i % daySteps)) / daySteps)
    return Math.round(1_000 * base * (1.2 + 0.7 * day + 0.3 * random())) / 1_000
  })
  const place = (): number => daySteps * 8 + Math.floor(random() * (length - daySteps * 12))
  return faults(values, place)
}

const faults = (values: Float32Array, place: () => number): Float32Array => {
  const gap = place()
  values.fill(Number.NaN, gap, gap + 40)
  const frozen = place()
  values.fill(values[frozen] as number, frozen, frozen + 2 * daySteps)
  const copy = place()
  values.copyWithin(copy, copy - daySteps, copy)
  for (let k = 0; k < 20; k++) values[place()] = -1
  for (let k = 0; k < 20; k++) values[place()] = 900
  return values
}
