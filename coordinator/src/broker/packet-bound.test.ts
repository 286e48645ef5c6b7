import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createPacketBound } from './packet-bound.ts'

const connect = [0x10, 0]

const toPacket = (type: number, bodyBytes: number): number[] => {
  const header = [type]
  let rest = bodyBytes
  do {
    header.push((rest % 128) | (rest >= 128 ? 0x80 : 0))
    rest = Math.floor(rest / 128)
  } while (rest > 0)
  return [...header, ...Array.from({ length: bodyBytes }, () => 0xff)]
}

const bounds = { publishBytesMax: 1_048_576, otherBytesMax: 16_384 }
const connected = (given = bounds) => {
  const count = createPacketBound(given)
  expect(count(Uint8Array.from(connect))).toBe(1)
  return count
}

describe('packet bound', () => {
  test('counts packets within the bounds and stops at the first beyond, however the stream is cut', () => {
    const packets = fc.array(fc.tuple(fc.constantFrom(0x30, 0x82), fc.integer({ min: 0, max: 400 })), {
      maxLength: 8,
    })
    const cuts = fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1, maxLength: 20 })
    fc.assert(
      fc.property(packets, cuts, (bodies, chunkSizes) => {
        const stream = Uint8Array.from(bodies.flatMap(([type, bytes]) => toPacket(type, bytes)))
        const count = connected({ publishBytesMax: 300, otherBytesMax: 150 })
        let packetsSeen: number | undefined = 0
        for (let at = 0, i = 0; at < stream.length; i++) {
          const size = chunkSizes[i % chunkSizes.length]!
          const counted = count(stream.subarray(at, at + size))
          packetsSeen = counted === undefined || packetsSeen === undefined ? undefined : packetsSeen + counted
          at += size
        }
        const isWithin = bodies.every(([type, bytes]) => bytes <= (type === 0x30 ? 300 : 150))
        expect(packetsSeen).toBe(isWithin ? bodies.length : undefined)
      }),
    )
  })

  test('objects at the announcement, before a large packet has come', () => {
    const count = connected()
    // A PUBLISH of 209,715,200 bytes.
    expect(count(Uint8Array.of(0x30, 0x80, 0x80, 0x80, 0x64))).toBeUndefined()
    expect(count(Uint8Array.of(0xc0, 0))).toBeUndefined()
  })

  test('objects to a long list of subscriptions', () => {
    expect(connected()(Uint8Array.of(0x82, 0x80, 0x80, 0x01))).toBe(1)
    expect(connected()(Uint8Array.of(0x82, 0x81, 0x80, 0x01))).toBeUndefined()
  })

  test('objects to a length that never ends', () => {
    const count = connected({ publishBytesMax: 2 ** 40, otherBytesMax: 2 ** 40 })
    expect(count(Uint8Array.of(0x30, 0x80, 0x80, 0x80, 0x80))).toBeUndefined()
  })

  test('objects to whoever begins with anything but a CONNECT', () => {
    expect(createPacketBound(bounds)(Uint8Array.of(0x30, 2, 0, 0))).toBeUndefined()
    expect(createPacketBound(bounds)(Uint8Array.from(Buffer.from('GET / HTTP/1.1\r\n')))).toBeUndefined()
  })
})
