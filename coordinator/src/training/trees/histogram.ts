/**
 * Sums of gradients by bin, the inner loop of tree growing. One double carries two whole numbers, `rows · 2^shift +
 * gradient`: gradients are rounded to integers that are small enough for the sum over all rows to fit. So a bin
 * takes one addition instead of two, and sums are exact: the order does not matter, and a sibling's histogram is
 * the parent's minus the other child's, to the last bit.
 */
import type { BinnedTable } from './bins.ts'

export interface Packing {
  /** One row. */
  readonly unit: number
  /** Largest integer a gradient may become. */
  readonly gradientMax: number
}

/** 2^53 shared between rows and gradients; 10 bits a gradient would be enough to choose splits by. */
export const packingFor = (rows: number): Packing => {
  const rowBits = Math.ceil(Math.log2(rows + 1))
  const shift = 52 - rowBits
  return { unit: 2 ** shift, gradientMax: 2 ** (shift - 1 - rowBits) - 1 }
}

export const rowsIn = (packed: number, unit: number): number => Math.floor(packed / unit + 0.5)

/** Integer units. */
export const gradientIn = (packed: number, unit: number): number => packed - rowsIn(packed, unit) * unit

/** Adding it leaves no bits for a fraction: the fastest way to round a number below 2^50. */
const rounder = 1.5 * 2 ** 52

/** Writes packed gradients and returns the factor from gradients to integer units. */
export const packGradients = (
  target: Float64Array,
  gradients: Float64Array,
  { unit, gradientMax }: Packing,
): number => {
  let largest = 0
  for (let i = 0; i < gradients.length; i++) {
    const size = Math.abs(gradients[i] as number)
    if (size > largest) largest = size
  }
  const factor = largest > 0 ? gradientMax / largest : 1
  for (let i = 0; i < gradients.length; i++)
    target[i] = unit + ((gradients[i] as number) * factor + rounder - rounder)
  return factor
}

/** Where each column's bins begin in a histogram: values first, then missing; the last entry is the length. */
export const histogramOffsets = ({ edges }: Pick<BinnedTable, 'edges'>): Int32Array => {
  const offsets = new Int32Array(edges.length + 1)
  edges.forEach((one, column) => {
    offsets[column + 1] = (offsets[column] as number) + one.length + 2
  })
  return offsets
}

/** The sums of these columns over `rows[begin … end)`; others stay as they are. `gathered` is scratch of as many rows. */
export const buildHistogram = (
  histogram: Float64Array,
  { bins, rows: height }: BinnedTable,
  offsets: Int32Array,
  columns: Int32Array,
  rows: Int32Array,
  begin: number,
  end: number,
  packed: Float64Array,
  gathered: Float64Array,
): void => {
  for (const column of columns) histogram.fill(0, offsets[column], offsets[column + 1])
  const size = end - begin
  for (let i = 0; i < size; i++) gathered[i] = packed[rows[begin + i] as number] as number
  let c = 0
  // Four columns at a time: their additions do not wait for each other, and a row's number is read once.
  for (; c + 3 < columns.length; c += 4) {
    const [c0, c1, c2, c3] = [columns[c], columns[c + 1], columns[c + 2], columns[c + 3]] as [
      number,
      number,
      number,
      number,
    ]
    const [o0, o1, o2, o3] = [offsets[c0], offsets[c1], offsets[c2], offsets[c3]] as [
      number,
      number,
      number,
      number,
    ]
    const [b0, b1, b2, b3] = [c0 * height, c1 * height, c2 * height, c3 * height]
    for (let i = 0; i < size; i++) {
      const row = rows[begin + i] as number
      const value = gathered[i] as number
      const i0 = o0 + (bins[b0 + row] as number)
      const i1 = o1 + (bins[b1 + row] as number)
      const i2 = o2 + (bins[b2 + row] as number)
      const i3 = o3 + (bins[b3 + row] as number)
      histogram[i0] = (histogram[i0] as number) + value
      histogram[i1] = (histogram[i1] as number) + value
      histogram[i2] = (histogram[i2] as number) + value
      histogram[i3] = (histogram[i3] as number) + value
    }
  }
  for (; c < columns.length; c++) {
    const column = columns[c] as number
    const offset = offsets[column] as number
    const base = column * height
    for (let i = 0; i < size; i++) {
      const at = offset + (bins[base + (rows[begin + i] as number)] as number)
      histogram[at] = (histogram[at] as number) + (gathered[i] as number)
    }
  }
}

/** `histogram` becomes the other child's, in these columns. */
export const subtractHistogram = (
  histogram: Float64Array,
  child: Float64Array,
  offsets: Int32Array,
  columns: Int32Array,
): void => {
  for (const column of columns) {
    const end = offsets[column + 1] as number
    for (let i = offsets[column] as number; i < end; i++)
      histogram[i] = (histogram[i] as number) - (child[i] as number)
  }
}
