/**
 * Counts the bytes of MQTT packets in a stream before anybody parses them: the parser of the embedded broker would
 * gather a packet of any length. Reads fixed headers only (MQTT 3.1.1, "Fixed header", "Remaining Length").
 */

/** True as long as every packet so far announces at most the bound; false for ever after the first that does not. */
export type PacketBound = (bytes: Uint8Array) => boolean

/** Bytes of the remaining length; a fifth one is not MQTT. */
const lengthBytesMax = 4

/** A bound for one connection. `bytes` are its chunks in order, cut anywhere. */
export const createPacketBound = (packetBytesMax: number): PacketBound => {
  /** Bytes of the current packet's body that are still to come; its header is being read where it is undefined. */
  let body: number | undefined
  let length = 0
  let lengthBytes = -1
  let isCut = false

  /** False when this byte breaks the bound. */
  const readHeader = (byte: number): boolean => {
    lengthBytes += 1
    // The first byte is the packet's type.
    if (lengthBytes === 0) return true
    length += (byte & 0x7f) * 128 ** (lengthBytes - 1)
    if (byte < 0x80) body = length
    return length <= packetBytesMax && (body !== undefined || lengthBytes < lengthBytesMax)
  }

  const startPacket = (): void => {
    body = undefined
    length = 0
    lengthBytes = -1
  }

  return (bytes) => {
    if (isCut) return false
    for (let at = 0; at < bytes.length;) {
      if (body === undefined) {
        isCut = !readHeader(bytes[at] as number)
        if (isCut) return false
        at += 1
      } else {
        const skipped = Math.min(body, bytes.length - at)
        body -= skipped
        at += skipped
      }
      if (body === 0) startPacket()
    }
    return true
  }
}
