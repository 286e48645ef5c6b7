/** SHA-256 of bytes and of files, in hexadecimal. */

import { createHash } from 'node:crypto'
import { open } from 'node:fs/promises'

export const sha256 = (bytes: Uint8Array | string): string => createHash('sha256').update(bytes).digest('hex')

/** Bytes that are read while as many are hashed. */
const pieceBytes = 524_288

/**
 * Hash and size of a file, whatever its size: two buffers take turns, so that nothing piles up for the collector on a
 * gateway that looks through all its models.
 */
export const sha256File = async (path: string): Promise<{ sha256: string; bytes: number }> => {
  const hash = createHash('sha256')
  const file = await open(path)
  try {
    let [filled, spare] = [new Uint8Array(pieceBytes), new Uint8Array(pieceBytes)]
    let bytes = 0
    let { bytesRead } = await file.read(filled, 0, pieceBytes)
    while (bytesRead > 0) {
      const next = file.read(spare, 0, pieceBytes)
      hash.update(filled.subarray(0, bytesRead))
      bytes += bytesRead
      ;[filled, spare] = [spare, filled]
      bytesRead = (await next).bytesRead
    }
    return { sha256: hash.digest('hex'), bytes }
  } finally {
    await file.close()
  }
}
