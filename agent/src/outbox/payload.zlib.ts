/**
 * The columns of a batch as bytes on disk, and as the packet on the wire.
 *
 * Only the columns are stored. The header (sequence, oldest, time) is known when a batch leaves, and goes in front,
 * the signature behind: in CBOR a map is its entries one after the other, so the columns stay as they are. Where names outweigh values, as
 * in one live reading of a thousand meters (78 bytes a reading), the stored columns are deflated (6 bytes a reading).
 */

import { crc32, deflateRawSync, inflateRawSync } from 'node:zlib'
import { limits } from '@imlma/protocol/limits'
import { invariant } from '@imlma/protocol/result'
import { encodeCbor, protocolVersion, type ReadingBatch, type ReadingSeries } from '@imlma/protocol/wire'
import type { StoredColumns } from './outbox.ts'

/** Above this many bytes a reading, names outweigh values and deflating pays. */
const deflateAboveBytesPerReading = 8

/** CBOR of an array without elements: the last byte of a batch without columns. */
const emptyArray = 0x80

/** CBOR of the entry "signature": 0, which stands for the one that the signer appends. */
const placeholder = encodeCbor('signature').length + 1

/** Appends the signature to a packet whose map announces one entry more than it has. */
export type SignPacket = (front: Uint8Array) => Uint8Array

/** `readings` is the number of values in `columns`. About 1 ms for a thousand columns. */
export const storeColumns = (columns: readonly ReadingSeries[], readings: number): StoredColumns => {
  const bytes = encodeCbor(columns)
  if (bytes.length <= readings * deflateAboveBytesPerReading) return stored(bytes, false)
  return stored(deflateRawSync(bytes, { level: 1 }), true)
}

const stored = (bytes: Uint8Array, deflated: boolean) => ({ bytes, deflated, crc32: crc32(bytes) })

export const isIntact = (columns: StoredColumns): boolean => crc32(columns.bytes) === columns.crc32

/** The packet of a stored, intact batch; signed where there is who signs. */
export const toPacket = (
  header: Pick<ReadingBatch, 'seq' | 'sentAt' | 'historical'> & { readonly oldest: number },
  { bytes, deflated }: StoredColumns,
  sign?: SignPacket,
): Uint8Array => {
  const columns = deflated ? inflateRawSync(bytes, { maxOutputLength: limits.packetBytesMax }) : bytes
  const { seq, oldest, sentAt, historical } = header
  const batch = { v: protocolVersion, seq, oldest, sentAt, historical, series: [] }
  // The number of a map's entries stands in front of them.
  const front =
    sign === undefined ? encodeCbor(batch) : encodeCbor({ ...batch, signature: 0 }).subarray(0, -placeholder)
  invariant(front.at(-1) === emptyArray, 'the columns are the last entry of a batch')
  const packet = new Uint8Array(front.length - 1 + columns.length)
  packet.set(front.subarray(0, -1))
  packet.set(columns, front.length - 1)
  return sign === undefined ? packet : sign(packet)
}
