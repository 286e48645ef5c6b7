import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { binInto, edgesOf, missingBinOf } from './bins.ts'

const binsOf = (values: Float32Array, edges: Float32Array): readonly number[] => {
  const target = new Uint8Array(values.length)
  binInto(target, 0, values, edges)
  return [...target]
}

describe('bins', () => {
  test('are one per value where there are few, with the edge half-way', () => {
    const edges = edgesOf(Float32Array.of(3, 1, 3, 2, Number.NaN), 255)
    expect([...edges]).toEqual([1.5, 2.5])
    expect(binsOf(Float32Array.of(0, 1.5, 1.6, 2.5, 9, Number.NaN), edges)).toEqual([0, 0, 1, 1, 2, 3])
    expect(missingBinOf(edges)).toBe(3)
  })

  test('hold about as many values each, and a value that fills several leaves the others to the rest', () => {
    const even = edgesOf(
      Float32Array.from({ length: 1_000 }, (_, i) => i),
      4,
    )
    expect([...even]).toEqual([249.5, 499.5, 749.5])
    const zeros = Float32Array.from({ length: 1_000 }, (_, i) => (i < 800 ? 0 : i))
    expect(edgesOf(zeros, 5)[0]).toBe(400)
    expect(edgesOf(zeros, 5)).toHaveLength(4)
  })

  test('of nothing but one value or none have no edge', () => {
    expect(edgesOf(Float32Array.of(5, 5), 255)).toHaveLength(0)
    expect(edgesOf(Float32Array.of(Number.NaN), 255)).toHaveLength(0)
    expect(edgesOf(new Float32Array(0), 255)).toHaveLength(0)
  })

  test('are at most 255 and never divide equal float32 numbers, however close the next ones are', () => {
    const wild = fc.oneof(
      fc.float({ noNaN: true }),
      fc
        .integer({ min: 0, max: 40 })
        .map((i) => new Float32Array(new Int32Array([0x3f800000 + i]).buffer)[0] as number),
      fc.constantFrom(0, -0, Infinity, -Infinity, 3.4028234663852886e38, 1e-45),
    )
    fc.assert(
      fc.property(
        fc.array(wild, { minLength: 1, maxLength: 400 }),
        fc.integer({ min: 2, max: 255 }),
        (list, most) => {
          const values = Float32Array.from(list)
          const edges = edgesOf(values, most)
          expect(edges.length).toBeLessThan(most)
          binsOf(values, edges).forEach((bin, i) => {
            const value = values[i] as number
            // The comparison that ONNX Runtime makes.
            if (bin < edges.length) expect(value <= (edges[bin] as number)).toBe(true)
            if (bin > 0) expect(value <= (edges[bin - 1] as number)).toBe(false)
          })
        },
      ),
      { seed: 3, numRuns: 200 },
    )
  })
})
