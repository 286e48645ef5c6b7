import { describe, expect, test } from 'vitest'
import { batchOf, dropoutMask, targetsOf } from './batches.ts'
import { createRandom } from '../../tuning/random.ts'
import { planSequence } from './sequence.ts'

const lagsTo = (count: number): string[] => Array.from({ length: count }, (_, i) => `lag ${i + 1}`)

describe('a sequence', () => {
  test('is the lags from the oldest to the latest, whatever their order and distance in the row', () => {
    const names = [
      'mean of 24',
      'lag 2',
      'lag 168',
      'lag 1',
      'hour',
      'lag 24',
      'step 1 lag 3',
      'step 1 weather',
    ]
    expect(planSequence({ names }, 10)).toEqual({
      steps: 4,
      inputs: 1,
      sequence: [2, 5, 1, 3],
      rest: [0, 4, 6, 7],
    })
  })

  test('has no more steps than it may, of equally many lags where they divide', () => {
    const sizesOf = (lags: number, stepsMax: number) => {
      const { steps, inputs, sequence } = planSequence({ names: lagsTo(lags) }, stepsMax)
      expect(sequence).toHaveLength(steps * inputs)
      return [steps, inputs]
    }
    expect(sizesOf(336, 28)).toEqual([28, 12])
    expect(sizesOf(336, 32)).toEqual([28, 12])
    expect(sizesOf(96, 28)).toEqual([24, 4])
    expect(sizesOf(24, 28)).toEqual([24, 1])
    expect(sizesOf(97, 28)).toEqual([25, 4])
  })

  test('begins with its oldest lag repeated where the lags do not fill the steps', () => {
    const { sequence } = planSequence({ names: lagsTo(7) }, 4)
    expect(sequence).toEqual([6, 6, 5, 4, 3, 2, 1, 0])
  })

  test.each([
    ['of three lags', lagsTo(3)],
    ['of a plain regression', ['current', 'power factor', 'hour']],
  ])('%s is none', (_name, names) => {
    expect(() => planSequence({ names }, 28)).toThrow(
      expect.objectContaining({ code: 'FEATURES_MISSING', hint: expect.stringContaining('4 lags') }),
    )
  })
})

describe('a batch', () => {
  test('holds its rows time step by time step, and the other columns row by row', () => {
    const plan = planSequence({ names: ['hour', ...lagsTo(4)] }, 2)
    // Row r has the hour 10r and the lags 10r + 1 … 10r + 4.
    const features = Float32Array.from({ length: 15 }, (_, i) => 10 * Math.floor(i / 5) + (i % 5))
    const batch = batchOf({ features }, 5, plan, [2, 0])
    expect([...batch.sequence]).toEqual([24, 23, 4, 3, 22, 21, 2, 1])
    expect([...batch.rest]).toEqual([20, 0])
    expect([...targetsOf({ targets: Float32Array.of(1, 2, 3, 4, 5, 6) }, 2, [2, 0])]).toEqual([5, 6, 1, 2])
  })

  test('drops the share that it should, and the mean stays', () => {
    expect(dropoutMask(10, 0, createRandom(1))).toBeNull()
    const mask = dropoutMask(20_000, 0.25, createRandom(1)) as Float32Array
    expect(mask.filter((value) => value === 0).length / 20_000).toBeCloseTo(0.25, 1)
    expect(mask.reduce((sum, value) => sum + value, 0) / 20_000).toBeCloseTo(1, 1)
  })
})
