/**
 * Points that fill a unit cube evenly: the Sobol sequence with nested uniform scrambling, so that every seed gives
 * another set that is as even as the original one and no seed starts at a corner or the centre.
 */
import { createRandom, hashOf } from './random.ts'
import { sobolDirections } from './sobol-directions.ts'

const bits = 32

/** Dimensions that the table covers; further ones are drawn independently. */
export const sobolDimensionsMax = sobolDirections.length + 1

/** The 32 direction numbers of a dimension, the first one with its highest bit set. */
const directionsOf = (dimension: number): Uint32Array => {
  const directions = new Uint32Array(bits)
  if (dimension === 0) {
    for (let bit = 0; bit < bits; bit++) directions[bit] = 2 ** (bits - 1 - bit)
    return directions
  }
  const [polynomial, first] = sobolDirections[dimension - 1]!
  const degree = first.length
  for (let bit = 0; bit < bits; bit++) {
    if (bit < degree) {
      directions[bit] = first[bit]! * 2 ** (bits - 1 - bit)
      continue
    }
    let number = directions[bit - degree]! ^ (directions[bit - degree]! >>> degree)
    for (let k = 1; k < degree; k++)
      if (((polynomial >>> (degree - k)) & 1) === 1) number ^= directions[bit - k]!
    directions[bit] = number
  }
  return directions
}

const reverseBits = (word: number): number => {
  let reversed = word
  reversed = ((reversed >>> 1) & 0x55555555) | ((reversed & 0x55555555) << 1)
  reversed = ((reversed >>> 2) & 0x33333333) | ((reversed & 0x33333333) << 2)
  reversed = ((reversed >>> 4) & 0x0f0f0f0f) | ((reversed & 0x0f0f0f0f) << 4)
  reversed = ((reversed >>> 8) & 0x00ff00ff) | ((reversed & 0x00ff00ff) << 8)
  return ((reversed >>> 16) | (reversed << 16)) >>> 0
}

/** Owen's scrambling by a hash. Source: B. Burley, "Practical Hash-based Owen Scrambling", JCGT 9 (2020). */
const scramble = (word: number, seed: number): number => {
  let mixed = (reverseBits(word) + seed) | 0
  mixed ^= Math.imul(mixed, 0x6c50b47c)
  mixed ^= Math.imul(mixed, 0xb82f1e52)
  mixed ^= Math.imul(mixed, 0xc7afe638)
  mixed ^= Math.imul(mixed, 0x8d22f6e6)
  return reverseBits(mixed >>> 0)
}

/** Points `from` … `from + count − 1` of the scrambled sequence, each in (0, 1)^dimensions. */
export const sobolPoints = (
  dimensions: number,
  seed: number,
  count: number,
  from = 0,
): readonly Float64Array[] => {
  const points = Array.from({ length: count }, () => new Float64Array(dimensions))
  for (let d = 0; d < dimensions; d++) {
    const key = hashOf(seed, d)
    const directions = d < sobolDimensionsMax ? directionsOf(d) : undefined
    for (const [offset, point] of points.entries()) {
      const index = from + offset
      if (directions === undefined) {
        point[d] = createRandom(seed, d, index).uniform()
        continue
      }
      let word = 0
      for (let bit = 0, rest = index; rest > 0; bit++, rest >>>= 1)
        if ((rest & 1) === 1) word ^= directions[bit]!
      point[d] = (scramble(word >>> 0, key) + 0.5) / 2 ** bits
    }
  }
  return points
}
