/** SHA-256 of bytes and of files, in hexadecimal. */

import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'

export const sha256 = (bytes: Uint8Array | string): string => createHash('sha256').update(bytes).digest('hex')

/** Hash and size of a file, read as a stream: memory stays flat whatever its size. */
export const sha256File = async (path: string): Promise<{ sha256: string; bytes: number }> => {
  const hash = createHash('sha256')
  let bytes = 0
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) {
    hash.update(chunk as Buffer)
    bytes += (chunk as Buffer).byteLength
  }
  return { sha256: hash.digest('hex'), bytes }
}
