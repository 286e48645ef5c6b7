import { describe, expect, test } from 'vitest'
import { Failure } from '@imlma/protocol/result'
import type { ReadingSeries } from '@imlma/protocol/wire'
import { createReadingsApi } from './http.hono.ts'

const at = Date.UTC(2024, 4, 1)
const quarterHour = 900_000

const setUp = (failure?: Error) => {
  const stored: { series: readonly ReadingSeries[]; historical: boolean }[] = []
  const api = createReadingsApi({
    append: (series, { historical }) => {
      if (failure !== undefined) throw failure
      stored.push({ series, historical })
    },
  })
  const post = (body: string, path = '/') =>
    api.request(path, { method: 'POST', body, headers: { 'content-type': 'application/json' } })
  return { stored, post }
}

describe('posted readings', () => {
  test('one reading takes the usual register and interval', async () => {
    const { stored, post } = setUp()
    const response = await post(JSON.stringify({ meter: 'm', at: '2024-05-01T02:00:00+02:00', value: 1.5 }))
    expect([response.status, await response.json()]).toEqual([201, { stored: 1 }])
    const values = Float32Array.of(1.5)
    expect(stored).toEqual([
      {
        historical: false,
        series: [{ meter: 'm', register: '1-0:1.29.0', interval: quarterHour, start: at, values }],
      },
    ])
  })

  test('several readings of one meter become a column', async () => {
    const { stored, post } = setUp()
    const readings = [0, 1, 2].map((slot) => ({
      meter: 'm',
      at: at + slot * quarterHour,
      value: slot === 1 ? null : slot,
    }))
    await post(JSON.stringify([...readings, { meter: 'n', at, value: 7, quality: 3 }]), '/?historical=true')
    expect(stored[0]?.historical).toBe(true)
    expect(stored[0]?.series.map(({ meter, values }) => [meter, [...values]])).toEqual([
      ['m', [0, Number.NaN, 2]],
      ['n', [7]],
    ])
    expect(stored[0]?.series[1]?.quality).toEqual(Uint8Array.of(3))
  })

  test('a column comes with register, interval and quality of its own', async () => {
    const { stored, post } = setUp()
    const column = { meter: 'm', register: 'r', interval: 60_000, start: at, values: [1, 2], quality: [0, 1] }
    await post(JSON.stringify(column))
    expect(stored[0]?.series[0]).toEqual({
      meter: 'm',
      register: 'r',
      interval: 60_000,
      start: at,
      values: Float32Array.of(1, 2),
      quality: Uint8Array.of(0, 1),
    })
  })

  test.each([
    ['no JSON', '{', 400, 'MALFORMED'],
    ['nothing', '[]', 400, 'MALFORMED'],
    ['a number', '5', 400, 'MALFORMED'],
    ['no meter', JSON.stringify({ at, value: 1 }), 400, 'MALFORMED'],
    [
      'a time without a zone',
      JSON.stringify({ meter: 'm', at: '2024-05-01T00:00:00', value: 1 }),
      400,
      'MALFORMED',
    ],
    ['a value in words', JSON.stringify({ meter: 'm', at, value: '1' }), 400, 'MALFORMED'],
    [
      'quality of another length',
      JSON.stringify({ meter: 'm', start: at, values: [1, 2], quality: [0] }),
      400,
      'MALFORMED',
    ],
    ['a time between intervals', JSON.stringify({ meter: 'm', at: at + 1, value: 1 }), 400, 'OFF_GRID'],
    ['too much', JSON.stringify({ meter: 'm', at, value: 1, more: 'x'.repeat(2_000_000) }), 413, 'TOO_LARGE'],
  ])('%s is refused', async (_, body, status, code) => {
    const { stored, post } = setUp()
    const response = await post(body)
    expect([response.status, await response.json()]).toMatchObject([status, { code }])
    expect(stored).toEqual([])
  })

  test('a full disk asks the sender to come again', async () => {
    const { post } = setUp(new Failure('NO_SPACE', 'full', { retryable: true }))
    const response = await post(JSON.stringify({ meter: 'm', at, value: 1 }))
    expect([response.status, response.headers.get('retry-after')]).toEqual([503, '5'])
  })
})
