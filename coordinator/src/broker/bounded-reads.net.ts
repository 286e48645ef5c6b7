/**
 * Bounds what is read from a connection, before the broker's parser sees it: packets of a size, in an order, at a pace.
 * Whoever is too fast is not read for a while, so that its own TCP connection slows it down and nothing is dropped.
 */

import type { Socket } from 'node:net'
import { limits } from '@imlma/protocol/limits'
import { createPacketBound } from './packet-bound.ts'
import { createTokenBucket, type TokenBucketOptions } from './token-bucket.ts'

/** SUBSCRIBE and CONNECT are the largest of the others; an honest one has some hundred bytes. */
const otherBytesMax = 16_384

/** A packet costs one token, and one more for every so many bytes. */
const bytesPerToken = 4_096

/**
 * Per connection: 2,000 small packets or 8 MB a second. A concentrator of a thousand meters with a backlog sends about
 * fifty batches of 8 kB a second; the whole broker manages some 40,000 packets.
 */
export const paceDefault: TokenBucketOptions = { perSecond: 2_000, burst: 4_000 }

export interface ReadBounds {
  readonly pace: TokenBucketOptions
  /** The connection was ended because a packet broke a bound. */
  readonly onPacketCut: () => void
  /** The connection is not read for now. */
  readonly onPaused: () => void
}

/** The returned function lifts the pace: for connections of our own. */
export const boundReads = (socket: Socket, { pace, onPacketCut, onPaused }: ReadBounds): (() => void) => {
  const count = createPacketBound({ publishBytesMax: limits.packetBytesMax, otherBytesMax })
  const spend = createTokenBucket(pace, Date.now())
  const read = socket.read.bind(socket)
  let isPaced = true
  let pause: NodeJS.Timeout | undefined
  const goOn = (): void => {
    clearTimeout(pause)
    pause = undefined
    socket.emit('readable')
  }
  socket.once('close', () => clearTimeout(pause))
  // The broker pulls its bytes through `read`: counting there costs no copy.
  socket.read = (size?: number) => {
    if (pause !== undefined) return null
    const bytes = read(size) as Uint8Array | null
    if (bytes === null) return bytes
    const packets = count(bytes)
    if (packets === undefined) {
      onPacketCut()
      socket.destroy()
      return null
    }
    const pauseMs = isPaced ? spend(packets + bytes.byteLength / bytesPerToken, Date.now()) : 0
    if (pauseMs > 0) {
      onPaused()
      pause = setTimeout(goOn, pauseMs)
    }
    return bytes
  }
  return () => {
    isPaced = false
    if (pause !== undefined) goOn()
  }
}
