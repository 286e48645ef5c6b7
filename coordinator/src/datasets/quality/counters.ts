/**
 * Registers that only grow (OBIS x.8.x): where they fall they were reset, or they ran over their last digit. What is
 * judged of such a register is how much it grew from one reading to the next.
 */

import { bits, type QualityMask } from './checks.ts'

/** A register that ran over was in its last tenth before and is in its first tenth after. */
const lastTenth = 0.9

/** Growth over a roll-over, in mean growths: more is a meter that was exchanged at an unlucky reading. */
const growthMax = 100

/**
 * Marks every fall and returns the growths: NaN at the first reading, after a gap and at a fall. A float32 register
 * carries 24 bits: above 16,777 kWh growths are known to about a watt-hour only.
 */
export const flagCounters = (values: Float32Array, mask: QualityMask): Float32Array => {
  const growths = new Float32Array(values.length).fill(Number.NaN)
  const mean = meanGrowth(values)
  let last = Number.NaN
  let lastAt = -1
  for (let i = 0; i < values.length; i++) {
    const value = values[i] as number
    if (value !== value) continue
    if (value < last) {
      const steps = i - lastAt
      const found = isRollOver(last, value, mean * steps) ? bits.rollOver : bits.counterReset
      mask[i] = (mask[i] as number) | found
    } else if (lastAt === i - 1) growths[i] = value - last
    last = value
    lastAt = i
  }
  return growths
}

const isRollOver = (last: number, value: number, expected: number): boolean => {
  const modulus = 10 ** Math.ceil(Math.log10(last))
  if (last < lastTenth * modulus || value < 0 || value > (1 - lastTenth) * modulus) return false
  return value + modulus - last <= growthMax * expected
}

/** Per step, over everything that grew. */
const meanGrowth = (values: Float32Array): number => {
  let sum = 0
  let steps = 0
  for (let i = 1; i < values.length; i++) {
    const growth = (values[i] as number) - (values[i - 1] as number)
    if (growth >= 0) {
      sum += growth
      steps += 1
    }
  }
  return steps === 0 ? 0 : sum / steps
}
