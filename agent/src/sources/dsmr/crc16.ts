/** CRC-16/ARC: polynomial x16 + x15 + x2 + 1, reflected, from 0 (DSMR P1 Companion Standard, "CRC"). */

const table = Uint16Array.from({ length: 256 }, (_, byte) => {
  let value = byte
  for (let bit = 0; bit < 8; bit++) value = (value & 1) === 1 ? (value >> 1) ^ 0xa001 : value >> 1
  return value
})

export const crc16 = (bytes: Uint8Array): number =>
  bytes.reduce((crc, byte) => (crc >> 8) ^ (table[(crc ^ byte) & 0xff] as number), 0)
