import { describe, expect, test } from 'vitest'
import { Failure } from '@imlma/protocol/result'
import type { ReadingSeries } from '@imlma/protocol/wire'
import { createPosting } from './posting.ts'

const at = Date.UTC(2024, 4, 1)
const quarterHour = 900_000

const setUp = (failure?: Error) => {
  const stored: { series: readonly ReadingSeries[]; historical: boolean }[] = []
  const { post: postAs, figures } = createPosting({
    sink: {
      append: (series, { historical }) => {
        if (failure !== undefined) throw failure
        stored.push({ series, historical })
      },
    },
    now: () => at,
  })
  const post = (document: unknown, historical = false) => postAs(document, { historical })
  const postLines = (documents: readonly unknown[]) => postAs(documents, { historical: false, isLines: true })
  return { stored, post, postLines, figures, postAs }
}

describe('posted readings', () => {
  test('one reading takes the usual register and interval', () => {
    const { stored, post } = setUp()
    expect(post({ meter: 'm', at: '2024-05-01T02:00:00+02:00', value: 1.5 })).toEqual({
      ok: true,
      value: { stored: 1 },
    })
    const values = Float32Array.of(1.5)
    expect(stored).toEqual([
      {
        historical: false,
        series: [{ meter: 'm', register: '1-0:1.29.0', interval: quarterHour, start: at, values }],
      },
    ])
  })

  test('several readings of one meter become a column', () => {
    const { stored, post } = setUp()
    const readings = [0, 1, 2].map((slot) => ({
      meter: 'm',
      at: at + slot * quarterHour,
      value: slot === 1 ? null : slot,
    }))
    post([...readings, { meter: 'n', at, value: 7, quality: 3 }], true)
    expect(stored[0]?.historical).toBe(true)
    expect(stored[0]?.series.map(({ meter, values }) => [meter, [...values]])).toEqual([
      ['m', [0, Number.NaN, 2]],
      ['n', [7]],
    ])
    expect(stored[0]?.series[1]?.quality).toEqual(Uint8Array.of(3))
  })

  test('a column comes with register, interval and quality of its own', () => {
    const { stored, post } = setUp()
    const column = { meter: 'm', register: 'r', interval: 60_000, start: at, values: [1, 2], quality: [0, 1] }
    post(column)
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
    ['no JSON', undefined, 'MALFORMED'],
    ['nothing', [], 'MALFORMED'],
    ['a number', 5, 'MALFORMED'],
    ['no meter', { at, value: 1 }, 'MALFORMED'],
    ['a time without a zone', { meter: 'm', at: '2024-05-01T00:00:00', value: 1 }, 'MALFORMED'],
    ['a value in words', { meter: 'm', at, value: '1' }, 'MALFORMED'],
    ['quality of another length', { meter: 'm', start: at, values: [1, 2], quality: [0] }, 'MALFORMED'],
    ['a time between intervals', { meter: 'm', at: at + 1, value: 1 }, 'OFF_GRID'],
  ])('%s is refused', (_, document, code) => {
    const { stored, post } = setUp()
    expect(post(document)).toMatchObject({ ok: false, refusal: { code } })
    expect(stored).toEqual([])
  })

  test('of lines the good ones are stored, and the others counted with an example', () => {
    const { stored, postLines, figures } = setUp()
    const lines = [{ meter: 'm', at, value: 1 }, undefined, { meter: 'n', at: at + 1, value: 2 }]
    expect(postLines(lines)).toMatchObject({ ok: true, value: { stored: 1, refused: 2 } })
    expect(stored).toHaveLength(1)
    expect(figures()).toMatchObject({
      readings: 1,
      malformed: 2,
      rejects: [
        { code: 'MALFORMED', count: 1 },
        { code: 'OFF_GRID', count: 1, example: JSON.stringify(lines[2]) },
      ],
    })
  })

  test('lines without a single reading are refused with the reason of the first', () => {
    const { stored, postLines } = setUp()
    expect(postLines([{ meter: 'n', at: at + 1, value: 2 }, 5])).toMatchObject({
      refusal: { code: 'OFF_GRID' },
    })
    expect(stored).toEqual([])
  })

  test('a source that nobody configured is refused', () => {
    const { postAs } = setUp()
    expect(postAs({}, { historical: false, source: 'x' })).toMatchObject({
      refusal: { code: 'NO_SUCH_SOURCE' },
    })
  })

  test('what the store does not take now is thrown on', () => {
    const { post } = setUp(new Failure('NO_SPACE', 'full', { retryable: true }))
    expect(() => post({ meter: 'm', at, value: 1 })).toThrow('full')
  })
})
