/** Registers of a Modbus device: which are read together, and what their words mean. */

import { z } from 'zod'
import { valueFields } from '../intake/values.ts'

export const pointTypes = {
  int16: 1,
  uint16: 1,
  int32: 2,
  uint32: 2,
  int64: 4,
  uint64: 4,
  float32: 2,
  float64: 4,
} as const
export type PointType = keyof typeof pointTypes

export const pointSchema = z.strictObject({
  ...valueFields,
  /** As on the wire, from 0: register 40001 of a manual is holding register 0. */
  address: z.int().min(0).max(65_535),
  kind: z.enum(['holding', 'input']).default('holding'),
  type: z
    .enum(['int16', 'uint16', 'int32', 'uint32', 'int64', 'uint64', 'float32', 'float64'])
    .default('uint16'),
  /** Which word of several comes first; Modbus itself says nothing about it. */
  words: z.enum(['high-first', 'low-first']).default('high-first'),
})
export type Point = z.infer<typeof pointSchema>

/** One request: a run of registers, and which points lie in it. */
export interface PointRead {
  readonly kind: Point['kind']
  readonly address: number
  readonly length: number
  /** Places of the points in the configuration. */
  readonly points: readonly number[]
}

/** Registers of one request, by the specification ("Read Holding Registers": quantity 1 to 125). */
const registersMax = 125

/** As few requests as can be, and none for a register that nobody named. */
export const toReads = (points: readonly Point[]): readonly PointRead[] => {
  const reads: PointRead[] = []
  const order = points
    .map((_, i) => i)
    .toSorted((a, b) => {
      const [one, other] = [points[a] as Point, points[b] as Point]
      return one.kind.localeCompare(other.kind) || one.address - other.address
    })
  for (const i of order) {
    const { kind, address, type } = points[i] as Point
    const end = address + pointTypes[type]
    const read = reads.at(-1)
    const joins =
      read !== undefined &&
      read.kind === kind &&
      address <= read.address + read.length &&
      end - read.address <= registersMax
    if (joins) {
      const length = Math.max(read.length, end - read.address)
      reads[reads.length - 1] = { ...read, length, points: [...read.points, i] }
    } else reads.push({ kind, address, length: pointTypes[type], points: [i] })
  }
  return reads
}

/** The number of a point in the bytes of its read; undefined where the device sent fewer than were asked for, or no number. */
export const decodePoint = (
  { address, type, words }: Pick<Point, 'address' | 'type' | 'words'>,
  bytes: Uint8Array,
  readAddress: number,
): number | undefined => {
  const count = pointTypes[type]
  const from = (address - readAddress) * 2
  if (from < 0 || from + count * 2 > bytes.length) return undefined
  const ordered = new DataView(new ArrayBuffer(8))
  for (let word = 0; word < count; word++) {
    const source = from + (words === 'high-first' ? word : count - 1 - word) * 2
    ordered.setUint16(word * 2, ((bytes[source] as number) << 8) | (bytes[source + 1] as number))
  }
  const value = readers[type](ordered)
  return Number.isFinite(value) ? value : undefined
}

const readers: Readonly<Record<PointType, (view: DataView) => number>> = {
  int16: (view) => view.getInt16(0),
  uint16: (view) => view.getUint16(0),
  int32: (view) => view.getInt32(0),
  uint32: (view) => view.getUint32(0),
  int64: (view) => Number(view.getBigInt64(0)),
  uint64: (view) => Number(view.getBigUint64(0)),
  float32: (view) => view.getFloat32(0),
  float64: (view) => view.getFloat64(0),
}
