/** Randomness that can be looked up: the same number for the same seed and place, in any order, at any time. */

/** A 32-bit number for a seed and a place (murmur3's finaliser over both). */
export const hashAt = (seed: number, place: number): number => {
  let hash = Math.imul(seed ^ Math.floor(place / 4_294_967_296), 0x9e37_79b1) ^ (place | 0)
  hash = Math.imul(hash ^ (hash >>> 16), 0x85eb_ca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2_ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}

/** A seed for a name (FNV-1a). */
export const seedOf = (seed: number, name: string): number => {
  let hash = 0x811c_9dc5 ^ seed
  for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 0x0100_0193)
  return hashAt(hash >>> 0, name.length)
}

/** Uniform in [0, 1). */
export const uniformAt = (seed: number, place: number): number => hashAt(seed, place) / 4_294_967_296

/** Nearly normal, mean 0, standard deviation 1, within ± 3.5: the sum of the four bytes of one hash. */
const normalAt = (seed: number, place: number): number => {
  const hash = hashAt(seed, place)
  const sum = (hash & 255) + ((hash >>> 8) & 255) + ((hash >>> 16) & 255) + (hash >>> 24)
  return (sum - 510) / 147.8
}

/** First-order autoregression, cut off where its memory is below 1 %; standard deviation about 1. */
export const autoregressionAt = (seed: number, place: number, correlation: number): number => {
  const terms = Math.ceil(Math.log(0.01) / Math.log(correlation))
  let sum = 0
  let weight = Math.sqrt(1 - correlation * correlation)
  for (let k = 0; k < terms; k++) {
    sum += weight * normalAt(seed, place - k)
    weight *= correlation
  }
  return sum
}
