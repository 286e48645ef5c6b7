import { featureSpecSchema } from '@imlma/protocol/features'
import { outputsAgree, toGoldenVectors, type Manifest } from '@imlma/protocol/manifest'
import { describe, expect, test } from 'vitest'
import type { TrainingOutcome } from '../training/job.ts'
import { candidateSchema, toCandidate } from './candidate.ts'
import { modelDefinitionSchema } from './definition.ts'

const hourMs = 3_600_000
const fields = {
  name: 'load',
  quantity: 'active energy',
  unit: 'kWh',
  register: '1-0:1.8.0',
  intervalMs: hourMs,
  horizon: 2,
  trigger: { volume: 1, intervalMs: 1, readingsMin: 1 },
}
const profile = { histogram: { edges: [1], counts: [1, 1] }, rows: 2 }

const outcomeOf = (quantiles?: readonly number[]): TrainingOutcome => ({
  artifactPath: '/nowhere',
  sha256: 'a'.repeat(64),
  bytes: 1,
  learner: 'ridge',
  parameters: {},
  metrics: {} as TrainingOutcome['metrics'],
  features: featureSpecSchema.parse({
    v: 1,
    intervalMs: hourMs,
    horizon: 2,
    seasonSteps: 1,
    missingMax: 0,
    zone: [{ from: 0, offsetMs: 0 }],
    holidays: [],
    shared: [{ kind: 'lags', lags: [1, 2, 3] }],
    step: [],
  }),
  golden: Array.from({ length: 8 }, (_, i) => ({
    input: new Float32Array(3).fill(i),
    output: new Float32Array(2).fill(i),
    ...(quantiles !== undefined && i < 4 && { quantiles: new Float32Array(2 * quantiles.length).fill(i) }),
  })),
  ...(quantiles !== undefined && { quantiles }),
  parity: 0,
  reference: { inputs: { value: profile }, residuals: profile },
  rows: { train: 1, validation: 1 },
  dropped: { tooManyMissing: 0, covariateMissing: 0, targetMissing: 0 },
  originStride: 1,
  trainEnd: 1,
  seconds: 1,
})

const candidateOf = (quantiles?: readonly number[]) => {
  const stored = JSON.stringify(toCandidate(modelDefinitionSchema.parse(fields), outcomeOf(quantiles)))
  return candidateSchema.parse(JSON.parse(stored))
}

describe('what a manifest will say of a trained version', () => {
  test('promises the quantiles of the file, and proves them by golden vectors', () => {
    const candidate = candidateOf([0.1, 0.5, 0.9])
    expect(candidate.contract).toMatchObject({
      quantiles: [0.1, 0.5, 0.9],
      outputs: [
        { name: 'forecast', shape: [null, 2] },
        { name: 'quantiles', shape: [null, 3, 2] },
      ],
    })
    expect(outputsAgree(candidate.contract)).toBe(true)
    const golden = toGoldenVectors(candidate as unknown as Manifest)
    expect(golden.ok && golden.value.map(({ quantiles }) => quantiles?.[5])).toEqual([
      0,
      1,
      2,
      3,
      ...Array(4).fill(undefined),
    ])
  })

  test('promises one output of a file that has one', () => {
    const { contract } = candidateOf()
    expect(contract.outputs.map(({ name }) => name)).toEqual(['forecast'])
    expect('quantiles' in contract).toBe(false)
    expect(outputsAgree(contract)).toBe(true)
  })
})

describe('the quantiles of a definition', () => {
  test('are a range of four in five where nobody says otherwise, and may be none', () => {
    expect(modelDefinitionSchema.parse(fields).quantiles).toEqual([0.1, 0.5, 0.9])
    expect(modelDefinitionSchema.parse({ ...fields, quantiles: [] }).quantiles).toEqual([])
  })

  test.each([[[0.9, 0.1]], [[0, 0.5]], [[1]], [[0.5, 0.5]], [Array(10).fill(0.5)]])(
    'refuse %j',
    (quantiles) => {
      expect(modelDefinitionSchema.safeParse({ ...fields, quantiles }).success).toBe(false)
    },
  )
})
