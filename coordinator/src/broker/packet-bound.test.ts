import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createPacketBound } from './packet-bound.ts'

const toPacket = (bodyBytes: number): number[] => {
  const header = [0x30]
  let rest = bodyBytes
  do {
    header.push((rest % 128) | (rest >= 128 ? 0x80 : 0))
    rest = Math.floor(rest / 128)
  } while (rest > 0)
  return [...header, ...Array.from({ length: bodyBytes }, () => 0xff)]
}

describe('packet bound', () => {
  test('lets packets within the bound pass, however the stream is cut', () => {
    const sizes = fc.array(fc.integer({ min: 0, max: 400 }), { maxLength: 8 })
    const cuts = fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1, maxLength: 20 })
    fc.assert(
      fc.property(sizes, cuts, (bodies, chunkSizes) => {
        const stream = Uint8Array.from(bodies.flatMap(toPacket))
        const isWithin = createPacketBound(300)
        let passed = true
        for (let at = 0, i = 0; at < stream.length; i++) {
          const size = chunkSizes[i % chunkSizes.length]!
          passed = isWithin(stream.subarray(at, at + size))
          at += size
        }
        expect(passed).toBe(bodies.every((bytes) => bytes <= 300))
      }),
    )
  })

  test('objects at the announcement, before a large packet has come', () => {
    const isWithin = createPacketBound(1_048_576)
    // A PUBLISH of 2,000,000 bytes.
    expect(isWithin(Uint8Array.of(0x30, 0x80, 0x89, 0x7a))).toBe(false)
    expect(isWithin(Uint8Array.of(0xc0, 0))).toBe(false)
  })

  test('objects to a length that never ends', () => {
    expect(createPacketBound(2 ** 40)(Uint8Array.of(0x30, 0x80, 0x80, 0x80, 0x80))).toBe(false)
  })
})
