import { expect, test } from 'vitest'
import { evenPlaces, rowsAt } from './some-rows.ts'

test('places are spread over all rows, each once', () => {
  expect(evenPlaces(10, 4)).toEqual([0, 2, 5, 7])
  expect(evenPlaces(3, 3)).toEqual([0, 1, 2])
  expect(evenPlaces(3, 0)).toEqual([])
})

test('rows keep everything that belongs to them', () => {
  const all = {
    rows: 3,
    features: Float32Array.of(1, 2, 3, 4, 5, 6),
    targets: Float32Array.of(10, 20, 30),
    series: Uint32Array.of(0, 0, 7),
    origins: Float64Array.of(100, 200, 300),
    dropped: { tooManyMissing: 1, covariateMissing: 0, targetMissing: 0 },
  }
  expect(rowsAt(all, { count: 2, horizon: 1 }, [2, 0])).toEqual({
    rows: 2,
    features: Float32Array.of(5, 6, 1, 2),
    targets: Float32Array.of(30, 10),
    series: Uint32Array.of(7, 0),
    origins: Float64Array.of(300, 100),
    dropped: all.dropped,
  })
})
