import { describe, expect, test } from 'vitest'
import { encodeCbor, parseCborMessage } from './codec.cbor.ts'
import { encodeJson, parseJsonMessage } from './header.ts'
import { ackSchema, readingBatchSchema, type ReadingBatch } from './readings.ts'

const batch: ReadingBatch = {
  v: 1,
  seq: 7,
  sentAt: 1_700_000_000_000,
  historical: false,
  series: [
    {
      meter: 'm-1',
      register: '1-0:1.8.0',
      interval: 900_000,
      start: 1_699_999_200_000,
      values: Float32Array.of(1.5, Number.NaN, -0),
      quality: Uint8Array.of(0, 3, 4),
    },
  ],
}

const parse = (message: unknown, bytesMax = 10_000) =>
  parseCborMessage(readingBatchSchema, encodeCbor(message), bytesMax)

const withSeries = (change: Record<string, unknown>) => ({
  ...batch,
  series: [{ ...batch.series[0], ...change }],
})

describe('a reading batch as CBOR', () => {
  test('comes back with the same bits', () => {
    const parsed = parse(batch)
    expect(parsed.ok && parsed.value.series[0]?.values).toEqual(batch.series[0]?.values)
    expect(parsed.ok && [...(parsed.value.series[0]?.quality ?? [])]).toEqual([0, 3, 4])
  })

  test('carries its values as RFC 8746 little-endian float32', () => {
    // Tag 85 (d8 55), then a byte string of 12 bytes (4c).
    expect(Buffer.from(encodeCbor(batch)).toString('hex')).toContain('d8554c0000c03f')
  })

  test('may carry fields this side does not know', () => {
    expect(parse({ ...batch, colour: 'blue' }).ok).toBe(true)
  })

  test.each([
    ['another version', { ...batch, v: 2 }, 'UNSUPPORTED_VERSION'],
    ['no version', { ...batch, v: undefined }, 'MALFORMED'],
    ['sequence 0', { ...batch, seq: 0 }, 'MALFORMED'],
    ['a broken sequence', { ...batch, seq: 1.5 }, 'MALFORMED'],
    ['values as plain numbers', withSeries({ values: [1, 2, 3] }), 'MALFORMED'],
    ['doubles', withSeries({ values: Float64Array.of(1, 2, 3) }), 'MALFORMED'],
    ['no values', withSeries({ values: new Float32Array(0) }), 'MALFORMED'],
    ['fewer qualities than values', withSeries({ quality: Uint8Array.of(0) }), 'MALFORMED'],
    ['an unknown quality', withSeries({ quality: Uint8Array.of(0, 0, 5) }), 'MALFORMED'],
    ['a start between two intervals', withSeries({ start: 1_699_999_200_001 }), 'MALFORMED'],
    ['a start before 1970', withSeries({ start: -900_000 }), 'MALFORMED'],
    ['a nameless meter', withSeries({ meter: '' }), 'MALFORMED'],
    ['an interval of nothing', withSeries({ interval: 0 }), 'MALFORMED'],
  ])('is refused with %s', (_, message, code) => {
    const parsed = parse(message)
    expect(parsed.ok ? undefined : parsed.refusal.code).toBe(code)
  })

  test('is refused before it is parsed when it is too large', () => {
    const parsed = parse(batch, 50)
    expect(parsed.ok ? undefined : parsed.refusal.code).toBe('TOO_LARGE')
  })

  test('is refused when it ends in the middle', () => {
    const bytes = encodeCbor(batch)
    for (let length = 0; length < bytes.length; length += 1) {
      expect(parseCborMessage(readingBatchSchema, bytes.subarray(0, length), 10_000).ok).toBe(false)
    }
  })

  test('that claims a giant array is refused without the memory for it', () => {
    const parsed = parseCborMessage(
      readingBatchSchema,
      Uint8Array.from(Buffer.from('9bffffffffffffffff', 'hex')),
      100,
    )
    expect(parsed.ok).toBe(false)
    const large = parseCborMessage(readingBatchSchema, Uint8Array.from(Buffer.from('9a7fffffff', 'hex')), 100)
    expect(large.ok).toBe(false)
  })
})

describe('a JSON message', () => {
  test('comes back as it was', () => {
    expect(parseJsonMessage(ackSchema, encodeJson({ v: 1, seq: 3 }), 100)).toEqual({
      ok: true,
      value: { v: 1, seq: 3 },
    })
  })

  test.each([
    ['{"v":1,"seq":', 'MALFORMED'],
    ['{"v":9,"seq":1}', 'UNSUPPORTED_VERSION'],
    ['{"v":1,"seq":-1}', 'MALFORMED'],
    ['null', 'MALFORMED'],
    ['"v"', 'MALFORMED'],
    ['', 'MALFORMED'],
  ])('%s is refused', (text, code) => {
    const parsed = parseJsonMessage(ackSchema, new TextEncoder().encode(text), 100)
    expect(parsed.ok ? undefined : parsed.refusal.code).toBe(code)
  })

  test('that is not UTF-8 is refused', () => {
    expect(parseJsonMessage(ackSchema, Uint8Array.of(0x22, 0xff, 0x22), 100).ok).toBe(false)
  })
})
