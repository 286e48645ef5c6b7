import { expect, test } from 'vitest'
import { toBytes, toChange, toFigure, toLatency, toRelative, toRSquared, toSpan, toTick } from './format.ts'

test('figures have three digits that line up, and nothing is a dash', () => {
  expect([0.0388, 0.15, 5, 99.96, 1234.5, 0, -0.118, 0.00035].map(toFigure)).toEqual([
    '0.0388',
    '0.150',
    '5.00',
    '100',
    '1,235',
    '0',
    '−0.118',
    '3.5e-4',
  ])
  expect([null, undefined, Number.NaN, Number.POSITIVE_INFINITY].map(toFigure)).toEqual(['–', '–', '–', '–'])
  expect([0.2, 1_000, -0.05].map(toTick)).toEqual(['0.2', '1,000', '−0.05'])
  expect([0.88, -0.1, null].map(toRSquared)).toEqual(['0.880', '−0.100', '–'])
})

test('changes carry their sign', () => {
  expect([0.0412, -0.089, 0, null].map(toChange)).toEqual(['+4.1\u{a0}%', '−8.9\u{a0}%', '±0.0\u{a0}%', '–'])
})

test('spans have two parts at most', () => {
  expect([0, 59_400, 61_000, 200_000, 3_600_000, 5_400_000, 90_000_000, 172_800_000].map(toSpan)).toEqual([
    '0 s',
    '59 s',
    '1 min 1 s',
    '3 min',
    '1 h',
    '1 h 30 min',
    '1 d 1 h',
    '2 d',
  ])
})

test('moments are told from now, backwards and forwards', () => {
  expect([1_000_000, 999_000, 880_000, 1_720_000].map((at) => toRelative(at, 1_000_000))).toEqual([
    'now',
    'now',
    '2 min ago',
    'in 12 min',
  ])
})

test('bytes and latencies choose their unit', () => {
  expect([999, 268_112, 84_300_000].map(toBytes)).toEqual(['999 B', '268 kB', '84.3 MB'])
  expect([0.021, 1.5, null].map(toLatency)).toEqual(['21 µs', '1.50 ms', '–'])
})
