/**
 * mqtt-packet keeps a Buffer for each of the 65,536 two-byte numbers, made with its first packet: 8 MB that spare an
 * allocation of two bytes a packet. An agent sends a few packets a second, and memory is what a gateway lacks.
 */

import { createRequire } from 'node:module'

interface PacketWriter {
  readonly writeToStream: { cacheNumbers: boolean }
}

/** To be called before the first connection. */
export const keepNoPacketNumbers = (): void => {
  const requireBesideUs = createRequire(import.meta.url)
  const requireBesideMqtt = createRequire(requireBesideUs.resolve('mqtt'))
  const { writeToStream } = requireBesideMqtt('mqtt-packet') as PacketWriter
  writeToStream.cacheNumbers = false
}
