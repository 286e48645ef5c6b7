/**
 * Looks at the bytes of an MQTT connection before anybody parses them: the parser of the embedded broker would gather a
 * packet of any length from anybody. Reads fixed headers only (MQTT 3.1.1, "Fixed header", "Remaining Length").
 */

export interface PacketBounds {
  /** Of a PUBLISH, which may carry a payload. */
  readonly publishBytesMax: number
  /** Of every other packet. */
  readonly otherBytesMax: number
}

/** How many packets begin in these bytes; undefined for ever after the first that breaks a bound. */
export type PacketCount = (bytes: Uint8Array) => number | undefined

/** Bytes of the remaining length; a fifth one is not MQTT. */
const lengthBytesMax = 4

const connectType = 1
const publishType = 3

/** Bounds for one connection. `bytes` are its chunks in order, cut anywhere; the first packet must be a CONNECT. */
export const createPacketBound = ({ publishBytesMax, otherBytesMax }: PacketBounds): PacketCount => {
  /** Bytes of the current packet's body that are still to come; its header is being read where it is undefined. */
  let body: number | undefined
  let length = 0
  let lengthBytes = -1
  let bytesMax = otherBytesMax
  let isConnected = false
  let isCut = false

  /** False when this byte breaks a bound. */
  const readHeader = (byte: number): boolean => {
    lengthBytes += 1
    if (lengthBytes === 0) {
      const type = byte >> 4
      if (!isConnected && type !== connectType) return false
      isConnected = true
      bytesMax = type === publishType ? publishBytesMax : otherBytesMax
      return true
    }
    length += (byte & 0x7f) * 128 ** (lengthBytes - 1)
    if (byte < 0x80) body = length
    return length <= bytesMax && (body !== undefined || lengthBytes < lengthBytesMax)
  }

  const startPacket = (): void => {
    body = undefined
    length = 0
    lengthBytes = -1
  }

  return (bytes) => {
    let packets = 0
    for (let at = 0; at < bytes.length && !isCut;) {
      if (body === undefined) {
        if (lengthBytes < 0) packets += 1
        isCut = !readHeader(bytes[at] as number)
        at += 1
      } else {
        const skipped = Math.min(body, bytes.length - at)
        body -= skipped
        at += skipped
      }
      if (body === 0) startPacket()
    }
    return isCut ? undefined : packets
  }
}
