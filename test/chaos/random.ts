/** Chance that can be repeated: the same seed gives the same numbers. */

export type Random = () => number

/** Uniform in [0, 1) (mulberry32). */
export const createRandom = (seed: number): Random => {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}

/** One of them, each as likely as the others. */
export const oneOf = <Value>(random: Random, values: readonly [Value, ...Value[]]): Value =>
  values[Math.floor(random() * values.length)] ?? values[0]

/** All of them in another order (Fisher and Yates). */
export const shuffled = <Value>(random: Random, values: readonly Value[]): Value[] => {
  const rest = [...values]
  return values.map(() => rest.splice(Math.floor(random() * rest.length), 1)[0] as Value)
}

/** A whole number from `low` to below `high`. */
export const between = (random: Random, low: number, high: number): number =>
  low + Math.floor(random() * (high - low))
