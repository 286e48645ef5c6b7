import { expect, test } from 'vitest'
import { cumulative, density, logImprovement } from './normal.ts'

/** log(φ + zΦ) and Φ/(φ + zΦ), computed with mpmath at up to 1,200 digits. */
const improvements: readonly (readonly [z: number, value: number, slope: number])[] = [
  [-1e6, -500000000028.55, 1000000.000002],
  [-1e4, -50000019.33961931, 10000.000199999993],
  [-100, -5010.12957880025, 100.01999400419587],
  [-38, -730.1961834021138, 38.05252276004133],
  [-20, -206.9178385094251, 20.099262811101283],
  [-8, -37.12236426169263, 8.239396506840066],
  [-3, -7.869686059603029, 3.5323375176251606],
  [-1.5, -3.52993592080571, 2.2795806941564463],
  [-1.0001, -2.4853114564458836, 1.9043434317165273],
  [-1, -2.4851210257126413, 1.9042712333296918],
  [-0.9999, -2.484930602199176, 1.904199036177194],
  [-0.5, -1.6205162643873199, 1.5598731483480797],
  [0, -0.9189385332046728, 1.2533141373155003],
  [0.5, -0.3598276837450638, 0.9909227180041099],
  [0.9999, 0.0799485530777224, 0.7766767068107738],
  [1, 0.08002621884930694, 0.7766387252017393],
  [3, 1.0987396653277077, 0.3328409684517952],
  [8, 2.0794415416798357, 0.12499999999999992],
  [40, 3.6888794541139363, 0.025],
]

test.each(improvements)('log improvement at %d is %d with slope %d', (z, value, slope) => {
  const found = logImprovement(z)
  expect(Math.abs(found.value - value)).toBeLessThanOrEqual(1e-11 * Math.max(1, Math.abs(value)))
  expect(found.slope / slope).toBeCloseTo(1, 11)
})

/** Φ, computed with mpmath. */
const cumulatives: readonly (readonly [z: number, value: number])[] = [
  [-30, 4.906713927148187e-198],
  [-8, 6.220960574271784e-16],
  [-2, 0.02275013194817921],
  [-1, 0.15865525393145705],
  [-0.3, 0.3820885778110474],
  [0, 0.5],
  [0.3, 0.6179114221889527],
  [1, 0.8413447460685429],
  [2, 0.9772498680518208],
  [8, 0.9999999999999993],
]

test.each(cumulatives)('Φ(%d) is %d', (z, value) => {
  expect(cumulative(z) / value).toBeCloseTo(1, 12)
})

test('log improvement never decreases, across the seams of its branches too', () => {
  let last = -Infinity
  for (let z = -60; z < 10; z += 0.001) {
    const { value } = logImprovement(z)
    expect(value).toBeGreaterThan(last)
    last = value
  }
})

test('the density integrates to one', () => {
  let sum = 0
  for (let z = -10; z < 10; z += 0.01) sum += density(z) * 0.01
  expect(sum).toBeCloseTo(1, 12)
})
