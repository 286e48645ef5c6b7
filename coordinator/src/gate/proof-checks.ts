/** Is the improvement large enough to matter, paid for by nobody, and more than chance? */

import type { LossComparison } from './comparison.ts'
import { finding, figure, percent, type Finding, type GateCheck, type Question } from './condition.ts'

/** Small for certain is a no; small with an open end is not yet. */
const minimumEffect: GateCheck = {
  name: 'minimum-effect',
  otherwise: 'inconclusive',
  look: ({ comparison, options: { gainMin } }) => {
    if (comparison === undefined) return notComparable
    const { champion, challenger, bootstrap, interval } = comparison.squared
    const [low, high] = interval
    const passed = bootstrap.gain >= gainMin
    const told = `the MSE falls by ${percent(bootstrap.gain)} (${toRange(interval)})`
    const detail = `${passed ? '' : 'EFFECT_TOO_SMALL: '}${told}, ${percent(gainMin)} are needed`
    const numbers = { gain: bootstrap.gain, low, high, needed: gainMin }
    const found = finding(passed, champion, challenger, detail, numbers)
    return high < gainMin ? { ...found, otherwise: 'reject' } : found
  },
}

const toRange = ([low, high]: readonly [number, number]): string =>
  Number.isFinite(low) && Number.isFinite(high) ? `${percent(low)} … ${percent(high)}` : 'no limits'

/** Worse by more than the margin is not yet, and worse by more than chance as well is a no. */
const noSliceWorse: GateCheck = {
  name: 'no-slice-worse',
  otherwise: 'inconclusive',
  look: ({ comparison, options: { sliceMargin, level } }) => {
    if (comparison === undefined) return notComparable
    const { slices } = comparison
    const worst = slices.toSorted((a, b) => a.gain - b.gain)[0]
    if (worst === undefined) return undefined
    const passed = worst.gain >= -sliceMargin
    // Many slices are looked at: the level is shared among them.
    const proven = slices.some(({ gain, p }) => gain < -sliceMargin && p < level / slices.length)
    const told = `${worst.name}: MSE ${figure(worst.challenger)} against ${figure(worst.champion)}`
    const detail = passed
      ? `no slice of ${slices.length} is worse by more than ${percent(sliceMargin)}; least gain for ${told}`
      : `SLICE_WORSE: by more than ${percent(sliceMargin)}${proven ? ' for certain' : ''}; most for ${told}`
    const gains = Object.fromEntries(slices.map(({ name, gain }) => [name, gain]))
    return {
      ...finding(passed, worst.champion, worst.challenger, detail, gains),
      ...(proven ? { otherwise: 'reject' as const } : {}),
    }
  },
}

type Loss = 'squared' | 'absolute'

const dieboldMariano = (loss: Loss): GateCheck =>
  test(`diebold-mariano-${loss}`, loss, ({ test: found, champion, challenger }, level) => {
    const { statistic, p, difference, standardError, bins, bandwidth, freedom } = found
    const detail = `Diebold-Mariano on ${loss} loss: ${figure(statistic)}, p = ${figure(p)}`
    return finding(p < level, champion, challenger, detail, {
      statistic,
      p,
      logRatio: difference,
      standardError,
      bins,
      bandwidth,
      freedom,
    })
  })

const bootstrap = (loss: Loss): GateCheck =>
  test(`block-bootstrap-${loss}`, loss, ({ bootstrap: found, champion, challenger }, level) => {
    const { p, gain, interval } = found
    const detail = `block bootstrap on ${loss} loss: gain ${percent(gain)} (${toRange(interval)}), p = ${figure(p)}`
    return finding(p < level, champion, challenger, detail, { p, gain, low: interval[0], high: interval[1] })
  })

const test = (
  name: string,
  loss: Loss,
  judge: (found: LossComparison, level: number) => Finding,
): GateCheck => ({
  name,
  otherwise: 'inconclusive',
  look: ({ comparison, options: { level } }: Question) => {
    if (comparison === undefined) return notComparable
    const found = judge(comparison[loss], level)
    return found.passed ? found : { ...found, detail: `NOT_SIGNIFICANT: ${found.detail}` }
  },
})

const notComparable: Finding = finding(false, null, null, 'not worked out: there is nothing to compare')

export const improvementIsProven: readonly GateCheck[] = [
  minimumEffect,
  noSliceWorse,
  dieboldMariano('squared'),
  dieboldMariano('absolute'),
  bootstrap('squared'),
  bootstrap('absolute'),
]
