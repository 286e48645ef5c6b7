import { expect, test } from 'vitest'
import {
  buildHistogram,
  gradientIn,
  histogramOffsets,
  packGradients,
  packingFor,
  rowsIn,
  subtractHistogram,
} from './histogram.ts'

test('a packed sum gives back its rows and its gradients, also the largest and all of one sign', () => {
  for (const rows of [1, 2, 1_000, 35_040, 4_000_000]) {
    const packing = packingFor(rows)
    expect(packing.gradientMax).toBeGreaterThan(100)
    for (const sign of [1, -1]) {
      const sum = rows * (packing.unit + sign * packing.gradientMax)
      expect(Number.isSafeInteger(sum)).toBe(true)
      expect(rowsIn(sum, packing.unit)).toBe(rows)
      expect(gradientIn(sum, packing.unit)).toBe(sign * rows * packing.gradientMax)
    }
  }
})

test('the parent minus one child is the other child to the last bit', () => {
  const rows = 999
  const columns = 6
  const edges = Array.from({ length: columns }, (_, column) => new Float32Array(3 + column))
  const bins = Uint8Array.from({ length: rows * columns }, (_, i) => (i * 7919) % (4 + Math.floor(i / rows)))
  const table = { rows, columns, bins, edges }
  const offsets = histogramOffsets(table)
  const packed = new Float64Array(rows)
  packGradients(
    packed,
    Float64Array.from({ length: rows }, (_, i) => Math.sin(i) / 3),
    packingFor(rows),
  )
  const order = Int32Array.from({ length: rows }, (_, i) => (i * 500) % rows)
  const every = Int32Array.from({ length: columns }, (_, i) => i)
  const of = (begin: number, end: number): Float64Array => {
    const histogram = new Float64Array(offsets.at(-1) as number)
    buildHistogram(histogram, table, offsets, every, order, begin, end, packed, new Float64Array(rows))
    return histogram
  }
  const other = of(0, rows)
  subtractHistogram(other, of(0, 300), offsets, every)
  expect(other).toEqual(of(300, rows))
  expect(
    rowsIn(
      of(0, rows)
        .slice(0, offsets[1])
        .reduce((sum, one) => sum + one, 0),
      packingFor(rows).unit,
    ),
  ).toBe(rows)
})
