/**
 * Cosines and sines of whole fractions of a circle, the same to the bit in every JavaScript engine. `Math.cos` may
 * differ in the last bit between engines, and a feature must not; here are only additions and multiplications,
 * which IEEE 754 fixes, over an angle of at most π/4.
 */

/** cos(2π · numerator / denominator). */
export const cosineOf = (numerator: number, denominator: number): number => {
  const phase = ((numerator % denominator) + denominator) % denominator
  // Eighths of the circle, reduced in whole numbers so that quarter turns give exactly 0 and ±1.
  const octant = Math.floor((8 * phase) / denominator)
  switch (octant) {
    case 0:
      return cosineSeries((2 * Math.PI * phase) / denominator)
    case 1:
    case 2:
      return sineSeries((2 * Math.PI * (denominator - 4 * phase)) / (4 * denominator))
    case 3:
    case 4:
      return -cosineSeries((2 * Math.PI * (2 * phase - denominator)) / (2 * denominator))
    case 5:
    case 6:
      return sineSeries((2 * Math.PI * (4 * phase - 3 * denominator)) / (4 * denominator))
    default:
      return cosineSeries((2 * Math.PI * (denominator - phase)) / denominator)
  }
}

/** sin(2π · numerator / denominator). */
export const sineOf = (numerator: number, denominator: number): number =>
  cosineOf(4 * numerator - denominator, 4 * denominator)

/** Row `i` holds cos, sin of 1 … order cycles at the phase i / period; Float32Array, phases × 2·order. */
export const harmonicTable = (phases: number, period: number, order: number): Float32Array => {
  const table = new Float32Array(phases * 2 * order)
  for (let i = 0; i < phases; i++) {
    for (let cycle = 1; cycle <= order; cycle++) {
      const at = i * 2 * order + 2 * (cycle - 1)
      table[at] = cosineOf(i * cycle, period)
      table[at + 1] = sineOf(i * cycle, period)
    }
  }
  return table
}

/** Taylor's series; the remainder is below 1e-17 for |x| ≤ π/4. */
const cosineSeries = (x: number): number => {
  const square = x * x
  let sum = 1
  let term = 1
  for (let i = 1; i <= 9; i++) {
    term *= -square / ((2 * i - 1) * (2 * i))
    sum += term
  }
  return sum
}

const sineSeries = (x: number): number => {
  const square = x * x
  let sum = x
  let term = x
  for (let i = 1; i <= 9; i++) {
    term *= -square / (2 * i * (2 * i + 1))
    sum += term
  }
  return sum
}
