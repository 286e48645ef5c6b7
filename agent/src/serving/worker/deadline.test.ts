import { expect, test } from 'vitest'
import { deadlineMsOf } from './deadline.ts'

test('a run has a floor, more where the signed budget is large, and more for many rows', () => {
  expect(deadlineMsOf(1)).toBe(2_001)
  expect(deadlineMsOf(1, 5)).toBe(2_001)
  expect(deadlineMsOf(1, 1_000)).toBe(5_001)
  expect(deadlineMsOf(4_096, 5)).toBe(6_096)
  expect(deadlineMsOf(1, 1, { runMsMin: 50 })).toBe(51)
})
