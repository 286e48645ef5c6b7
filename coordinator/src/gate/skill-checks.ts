/** Is the challenger better at all, before asking whether by more than chance? */

import { metricsOf, skillOf, type ErrorSums } from '@imlma/protocol/metrics'
import { finding, figure, type GateCheck } from './condition.ts'
import type { Contest } from './evaluation.ts'

/** Strictly better, in the direction of the metric. */
const better = (name: 'mse' | 'mae' | 'r2', label: string, direction: 'lower' | 'higher'): GateCheck => ({
  name,
  otherwise: 'reject',
  look: ({ contest: { champion, challenger } }) => {
    const one = metricsOf(champion.errors)[name]
    const other = metricsOf(challenger.errors)[name]
    // Written so that NaN and null are never better.
    const passed = one !== null && other !== null && (direction === 'lower' ? other < one : other > one)
    const numbers = `${figure(other)} against ${figure(one)}`
    const detail = passed
      ? `${label} is ${direction}: ${numbers}`
      : `${label} is not ${direction}: ${numbers}`
    return finding(passed, one, other, detail)
  },
})

/** One window's R² says nothing that its MSE does not; every meter's own R² says whether most meters gain. */
const r2PerMeter: GateCheck = {
  name: 'r2-per-meter',
  otherwise: 'inconclusive',
  look: ({ contest: { champion, challenger } }) => {
    const pairs = Object.entries(challenger.meters).flatMap(([meter, sums]) => {
      const theirs = champion.meters[meter]
      const [one, other] = [theirs === undefined ? null : metricsOf(theirs).r2, metricsOf(sums).r2]
      return one === null || other === null ? [] : [{ one, other, gain: other - one }]
    })
    if (pairs.length < 2) return undefined
    const gain = medianOf(pairs.map((pair) => pair.gain))
    const higher = pairs.filter((pair) => pair.gain > 0).length
    const detail = `R² is higher for ${higher} of ${pairs.length} meters, at the median by ${figure(gain)}`
    return finding(
      gain > 0,
      medianOf(pairs.map(({ one }) => one)),
      medianOf(pairs.map(({ other }) => other)),
      detail,
      { meters: pairs.length, higher, medianGain: gain },
    )
  },
}

const skill = (name: keyof NonNullable<Contest['baselines']>, label: string): GateCheck => ({
  name: `skill-${label.replaceAll(' ', '-')}`,
  otherwise: 'reject',
  look: ({ contest: { champion, challenger, baselines } }) => {
    if (baselines === undefined) return undefined
    const baseline: ErrorSums = baselines[name]
    const [one, other] = [skillOf(champion.errors, baseline), skillOf(challenger.errors, baseline)]
    if (one === null || other === null) return undefined
    return finding(other > one, one, other, `skill against ${label}: ${figure(other)} against ${figure(one)}`)
  },
})

const medianOf = (values: readonly number[]): number => {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length / 2
  return ((sorted[Math.ceil(middle) - 1] as number) + (sorted[Math.floor(middle)] as number)) / 2
}

export const challengerIsBetter: readonly GateCheck[] = [
  better('mse', 'MSE', 'lower'),
  better('mae', 'MAE', 'lower'),
  better('r2', 'R²', 'higher'),
  r2PerMeter,
  skill('persistence', 'persistence'),
  skill('seasonalNaive', 'seasonal naive'),
]
