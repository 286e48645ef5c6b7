import { encodeCbor } from '@imlma/protocol/wire'
import { describe, expect, test } from 'vitest'
import { judgeReadings } from './judge.ts'

const hour = 3_600_000
const now = 1_000 * hour
const series = {
  meter: 'm-1',
  register: 'load',
  interval: hour,
  start: now - hour,
  values: Float32Array.of(1, 2),
}
const batch = { v: 1, seq: 7, sentAt: now, historical: false, series: [series] }

describe('judging readings', () => {
  test('takes a batch whose latest reading is believed', () => {
    expect(judgeReadings(encodeCbor(batch), now)).toMatchObject({ verdict: 'take', batch: { seq: 7 } })
  })

  test('the last value counts for the future, not the first', () => {
    expect(judgeReadings(encodeCbor(batch), now - 1)).toMatchObject({ code: 'FROM_THE_FUTURE', seq: 7 })
  })

  test.each([
    ['no bytes', new Uint8Array(), 'MALFORMED', null],
    ['no CBOR', new Uint8Array([0xff, 0xff, 0xff]), 'MALFORMED', null],
    ['JSON', new TextEncoder().encode('{"v":1}'), 'MALFORMED', null],
    ['a truncated batch', encodeCbor(batch).subarray(0, 60), 'MALFORMED', null],
    ['no series', encodeCbor({ ...batch, series: undefined }), 'MALFORMED', 7],
    [
      'values as a plain array',
      encodeCbor({ ...batch, series: [{ ...series, values: [1] }] }),
      'MALFORMED',
      7,
    ],
    [
      'no values',
      encodeCbor({ ...batch, series: [{ ...series, values: new Float32Array() }] }),
      'MALFORMED',
      7,
    ],
    [
      'a start between intervals',
      encodeCbor({ ...batch, series: [{ ...series, start: 5 }] }),
      'MALFORMED',
      7,
    ],
    [
      'an unknown quality',
      encodeCbor({ ...batch, series: [{ ...series, quality: Uint8Array.of(0, 9) }] }),
      'MALFORMED',
      7,
    ],
    [
      'an interval of nothing',
      encodeCbor({ ...batch, series: [{ ...series, interval: 0 }] }),
      'MALFORMED',
      7,
    ],
    ['a sequence of nothing', encodeCbor({ ...batch, seq: 0 }), 'MALFORMED', null],
    ['another version', encodeCbor({ ...batch, v: 2 }), 'UNSUPPORTED_VERSION', null],
    ['more than a packet', new Uint8Array(1_048_577), 'TOO_LARGE', null],
  ])('%s goes to quarantine', (_what, bytes, code, seq) => {
    expect(judgeReadings(bytes, now)).toMatchObject({ verdict: 'quarantine', code, seq })
  })
})
