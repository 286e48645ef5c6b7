/**
 * Reproducible randomness: every draw follows from a seed and the numbers that say what it is for, so that a study which
 * is taken up again draws what it would have drawn.
 */

export interface Random {
  /** Uniform in [0, 1). */
  uniform(): number
  /** Standard normal. */
  normal(): number
  /** 0 … count − 1. */
  below(count: number): number
}

/** One round of MurmurHash3's mixing. Source: A. Appleby, public domain. */
const mix = (hash: number, word: number): number => {
  let key = Math.imul(word, 0xcc9e2d51)
  key = Math.imul((key << 15) | (key >>> 17), 0x1b873593)
  const mixed = hash ^ key
  return (Math.imul((mixed << 13) | (mixed >>> 19), 5) + 0xe6546b64) | 0
}

const finish = (hash: number): number => {
  let mixed = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35)
  return (mixed ^ (mixed >>> 16)) >>> 0
}

/** 32 well-mixed bits of whole numbers. */
export const hashOf = (...numbers: readonly number[]): number =>
  finish(
    numbers.reduce((hash, number) => mix(mix(hash, number | 0), Math.floor(number / 2 ** 32)), 0x9747b28c),
  )

/** The generator for one purpose, named by whole numbers. Source: sfc32 by C. Doty-Humphrey (PractRand), public domain. */
export const createRandom = (...purpose: readonly number[]): Random => {
  let a = hashOf(...purpose, 1)
  let b = hashOf(...purpose, 2)
  let c = hashOf(...purpose, 3)
  let counter = 1
  const uniform = () => {
    const next = (a + b + counter) | 0
    counter = (counter + 1) | 0
    a = b ^ (b >>> 9)
    b = (c + (c << 3)) | 0
    c = (((c << 21) | (c >>> 11)) + next) | 0
    return (next >>> 0) / 4_294_967_296
  }
  const normal = () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform())
  for (let round = 0; round < 12; round++) uniform()
  return { uniform, normal, below: (count) => Math.floor(uniform() * count) }
}
