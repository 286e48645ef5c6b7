import { expect, test } from 'vitest'
import { createRecall } from './recall.ts'

test('what was made of the same examples is not made again, other examples and other keys are', async () => {
  const recall = createRecall()
  const [some, others] = [{}, {}]
  let made = 0
  const make = () => Promise.resolve((made += 1))
  expect(await recall(some, 'base', make)).toBe(1)
  expect(await recall(some, 'base', make)).toBe(1)
  expect(await recall(some, 'other base', make)).toBe(2)
  expect(await recall(others, 'base', make)).toBe(3)
})

test('what failed is tried again', async () => {
  const recall = createRecall()
  const examples = {}
  await expect(recall(examples, 'base', () => Promise.reject(new Error('aborted')))).rejects.toThrow(
    'aborted',
  )
  expect(await recall(examples, 'base', () => Promise.resolve(1))).toBe(1)
})
