import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { blockOf, emptyBlock, emptyQuality, firstSlotOf, mergeInto, toBlock } from './block.ts'

const quarterHour = 900_000
const missing = Number.NaN

describe('block', () => {
  test('a day of quarter hours takes 480 bytes and comes back from them', () => {
    const block = emptyBlock(20_000, quarterHour)
    expect(block.bytes.byteLength).toBe(480)
    mergeInto(block, 95, Float32Array.of(1.5), Uint8Array.of(2), 0, 1)
    const again = toBlock(block.bytes)
    expect([again.values[95], again.quality[95]]).toEqual([1.5, 2])
    expect([again.values[94], again.quality[94]]).toEqual([missing, emptyQuality])
  })

  test('fast series have shorter blocks', () => {
    expect(emptyBlock(0, 1_000).values).toHaveLength(1_440)
    expect(emptyBlock(0, 60_000).values).toHaveLength(1_440)
    expect(emptyBlock(0, 86_400_000).values).toHaveLength(1)
  })

  test('every slot lies in exactly one block, also where the interval divides no day', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1_000, max: 86_400_000 }),
        fc.integer({ min: 0, max: 4_000_000_000_000 }),
        (intervalMs, time) => {
          const slot = Math.floor(time / intervalMs)
          const block = blockOf(slot, intervalMs)
          expect(firstSlotOf(block, intervalMs)).toBeLessThanOrEqual(slot)
          expect(firstSlotOf(block + 1, intervalMs)).toBeGreaterThan(slot)
        },
      ),
    )
  })

  test('the first value stays, unless a later one has a better quality', () => {
    const block = emptyBlock(0, quarterHour)
    const first = mergeInto(block, 0, Float32Array.of(1, 2, 3), Uint8Array.of(0, 1, 4), 0, 3)
    expect(first).toEqual({ slots: 3, trainable: 2, changed: true })
    const second = mergeInto(block, 0, Float32Array.of(10, 20, 30), Uint8Array.of(0, 0, 1), 0, 3)
    expect(second).toEqual({ slots: 0, trainable: 1, changed: true })
    expect([...block.values.subarray(0, 3)]).toEqual([1, 20, 30])
    expect([...block.quality.subarray(0, 3)]).toEqual([0, 0, 1])
    expect(mergeInto(block, 0, Float32Array.of(7, 7, 7), undefined, 0, 2).changed).toBe(false)
  })

  test('missing and infinite values fill nothing', () => {
    const block = emptyBlock(0, quarterHour)
    const values = Float32Array.of(missing, Infinity, -Infinity, 0)
    expect(mergeInto(block, 4, values, undefined, 0, 4)).toEqual({ slots: 1, trainable: 1, changed: true })
    expect([...block.quality.subarray(4, 8)]).toEqual([emptyQuality, emptyQuality, emptyQuality, 0])
  })
})
