import { expect, test } from 'vitest'
import { createTokenBucket } from './token-bucket.ts'

test('a burst passes at once, what goes beyond waits for as long as it takes to earn it', () => {
  const spend = createTokenBucket({ perSecond: 100, burst: 50 }, 0)
  expect(spend(50, 0)).toBe(0)
  expect(spend(10, 0)).toBe(100)
  expect(spend(0, 100)).toBe(0)
  expect(spend(1, 100)).toBe(10)
})

test('who was quiet for long may send one burst, and no more', () => {
  const spend = createTokenBucket({ perSecond: 100, burst: 50 }, 0)
  expect(spend(50, 3_600_000)).toBe(0)
  expect(spend(50, 3_600_000)).toBe(500)
})

test('a clock that goes back gives nothing', () => {
  const spend = createTokenBucket({ perSecond: 100, burst: 50 }, 10_000)
  expect(spend(50, 10_000)).toBe(0)
  expect(spend(1, 5_000)).toBe(10)
})
