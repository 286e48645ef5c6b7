import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { decodeFloat32, encodeFloat32 } from './float32.ts'
import { checkGolden } from './golden.ts'

describe('float32 in base64', () => {
  test('keeps every bit', () => {
    fc.assert(
      fc.property(fc.float32Array(), (values) => {
        const bits = (array: Float32Array | undefined) => array && new Uint32Array(array.buffer.slice(0))
        expect(bits(decodeFloat32(encodeFloat32(values)))).toEqual(bits(Float32Array.from(values)))
      }),
      { seed: 3 },
    )
  })

  test('is little-endian', () => {
    expect(encodeFloat32(Float32Array.of(1))).toBe('AACAPw==')
  })

  test.each(['AACA', 'AACAPwA=', '*', 'AA'])('%s holds no whole values', (text) => {
    expect(decodeFloat32(text)).toBeUndefined()
  })
})

describe('golden vectors', () => {
  const check = (expected: number[], actual: number[]) =>
    checkGolden(Float32Array.from(expected), Float32Array.from(actual), 1e-4).ok

  test('match within the relative tolerance', () => {
    expect(check([1, 5_000], [1.00009, 5_000.4])).toBe(true)
    expect(check([1, 5_000], [1.0002, 5_000])).toBe(false)
    expect(check([1, 5_000], [1, 5_000.6])).toBe(false)
  })

  test('never match what is not a number', () => {
    expect(check([1], [Number.NaN])).toBe(false)
    expect(check([1], [Number.POSITIVE_INFINITY])).toBe(false)
    expect(check([1, 2], [1])).toBe(false)
  })
})
