import { describe, expect, test } from 'vitest'
import { encodeFloat32 } from './float32.ts'
import { toGoldenVectors } from './golden.ts'
import { contractSchema, type Manifest } from './manifest.ts'
import { outputsAgree, quantileName, quantilesSchema } from './quantiles.ts'

const forecast = { name: 'forecast', shape: [null, 4] }
const quantiles = { name: 'quantiles', shape: [null, 3, 4] }
const probabilities = [0.1, 0.5, 0.9]

describe('the probabilities of quantiles', () => {
  test.each([[[]], [[0.5]], [[0.1, 0.5, 0.9]], [[0.025, 0.975]]])('%j are taken', (list) => {
    expect(quantilesSchema.parse(list)).toEqual(list)
  })

  test.each([
    [[0, 0.5]],
    [[0.5, 1]],
    [[0.9, 0.1]],
    [[0.5, 0.5]],
    [[Number.NaN]],
    [Array.from({ length: 10 }, (_, i) => (i + 1) / 11)],
  ])('%j are refused', (list) => {
    expect(quantilesSchema.safeParse(list).success).toBe(false)
  })

  test('have the names that people use', () => {
    expect([0.1, 0.5, 0.9, 0.025, 0.07, 0.999].map(quantileName)).toEqual([
      'p10',
      'p50',
      'p90',
      'p2.5',
      'p7',
      'p99.9',
    ])
  })
})

describe('the outputs of a contract', () => {
  test('are one without quantiles, and two with them', () => {
    expect(outputsAgree({ horizon: 4, outputs: [forecast] })).toBe(true)
    expect(outputsAgree({ horizon: 4, outputs: [forecast, quantiles], quantiles: probabilities })).toBe(true)
  })

  test.each([
    ['quantiles without their tensor', { outputs: [forecast], quantiles: probabilities }],
    ['a tensor without probabilities', { outputs: [forecast, quantiles] }],
    ['another number of quantiles', { outputs: [forecast, quantiles], quantiles: [0.1, 0.9] }],
    ['the quantiles first', { outputs: [quantiles, forecast], quantiles: probabilities }],
    ['one name twice', { outputs: [forecast, { ...quantiles, name: 'forecast' }], quantiles: probabilities }],
    [
      'a step too few',
      { outputs: [forecast, { ...quantiles, shape: [null, 3, 3] }], quantiles: probabilities },
    ],
    ['another horizon', { outputs: [{ ...forecast, shape: [null, 5] }] }],
  ])('do not agree with %s', (_, contract) => {
    expect(outputsAgree({ horizon: 4, ...contract })).toBe(false)
  })

  test('were one before there were quantiles, and such contracts are still read', () => {
    const { shape } = contractSchema
    expect(shape.quantiles.parse(undefined)).toBeUndefined()
    expect(shape.outputs.safeParse([{ ...forecast, type: 'float32' }]).success).toBe(true)
  })
})

describe('golden vectors with quantiles', () => {
  const encoded = (length: number) => encodeFloat32(new Float32Array(length).fill(1))
  const read = (vector: object, list: readonly number[] | undefined = probabilities) =>
    toGoldenVectors({
      contract: { inputs: [{ shape: [null, 2] }], horizon: 4, quantiles: list },
      golden: { vectors: [{ input: encoded(2), output: encoded(4), ...vector }] },
    } as unknown as Manifest)

  test('hold them in some vectors', () => {
    const some = read({ quantiles: encoded(12) })
    expect(some.ok && some.value[0]?.quantiles).toEqual(new Float32Array(12).fill(1))
    const none = read({})
    expect(none.ok && none.value[0]).toEqual({
      input: new Float32Array(2).fill(1),
      output: new Float32Array(4).fill(1),
    })
  })

  test('are refused where they do not fit', () => {
    expect(read({ quantiles: encoded(11) })).toMatchObject({ ok: false, refusal: { code: 'MALFORMED' } })
    expect(read({ quantiles: '' })).toMatchObject({ ok: false })
    expect(read({ quantiles: encoded(12) }, [])).toMatchObject({ ok: false })
    expect(read({ quantiles: '' }, [])).toMatchObject({ ok: false })
  })
})
