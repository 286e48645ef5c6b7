/** CRC-32 (ISO-HDLC) of bytes, unsigned. */

import { crc32 as crc } from 'node:zlib'

export const crc32 = (bytes: Uint8Array): number => crc(bytes)
