import { readFile } from 'node:fs/promises'
import { featureCount } from '@imlma/protocol/features'
import { contractSchema } from '@imlma/protocol/manifest'
import { describe, expect, test } from 'vitest'
import { modelDefinitionSchema } from '../definition.ts'
import {
  checkDefinition,
  parseContractFile,
  registrationRecordSchema,
  toRegistrationRecord,
} from './contract-file.ts'

const hourMs = 3_600_000
const definition = modelDefinitionSchema.parse({
  name: 'load',
  quantity: 'active energy',
  unit: 'kWh',
  register: '1-0:1.29.0',
  intervalMs: hourMs,
  horizon: 24,
  zone: [{ from: 0, offsetMs: hourMs }],
  holidays: ['2026-01-01'],
  trigger: { volume: 1, intervalMs: hourMs, readingsMin: 100 },
})
const short = {
  features: { shared: [{ kind: 'lags', lags: [1, 2, 24] }] },
  trainedUntil: '2026-03-01T01:00:00+01:00',
  framework: 'scikit-learn 1.8',
  author: 'load research',
}
const parse = (more: Readonly<Record<string, unknown>>) =>
  parseContractFile({ ...short, ...more }, definition)
const parsed = (more: Readonly<Record<string, unknown>> = {}) => {
  const result = parse(more)
  if (!result.ok) throw new Error(result.refusal.message)
  return result.value
}
const names = { input: 'X', output: 'variable' }

describe('a contract file', () => {
  test('needs to say only what the definition does not say', () => {
    const { features, provenance } = parsed()
    expect(features).toMatchObject({
      intervalMs: hourMs,
      horizon: 24,
      zone: definition.zone,
      holidays: definition.holidays,
      seasonSteps: 24,
      missingMax: 6,
      step: [],
    })
    expect(parsed({ features: { ...short.features, missingMax: 0 } }).features.missingMax).toBe(0)
    expect(provenance).toEqual({
      framework: 'scikit-learn 1.8',
      author: 'load research',
      trainedUntil: Date.UTC(2026, 2, 1),
      note: '',
    })
  })

  test('becomes the contract of the manifest, with the names of the file’s own tensors', () => {
    const record = toRegistrationRecord(parsed(), names, definition)
    expect(contractSchema.parse(record.contract)).toMatchObject({
      unit: 'kWh',
      contextLength: 24,
      inputs: [{ name: 'X', type: 'float32', shape: [null, 3] }],
      outputs: [{ name: 'variable', type: 'float32', shape: [null, 24] }],
    })
    expect(registrationRecordSchema.parse(JSON.parse(JSON.stringify(record)))).toEqual(record)
  })

  test('as the README shows it is accepted', async () => {
    const readme = await readFile(new URL('../../../../README.md', import.meta.url), 'utf8')
    const [, example = ''] = /## A model made elsewhere[^]*?```json\n([^]*?)```/.exec(readme) ?? []
    expect(parseContractFile(JSON.parse(example), definition)).toMatchObject({ ok: true })
  })

  test('may be the whole contract, as a manifest holds it', () => {
    const { contract } = toRegistrationRecord(parsed(), names, definition)
    expect(featureCount(parsed({ ...contract, model: 'load' }).features)).toBe(3)
    expect(parsed({ ...contract })).toMatchObject(names)
  })

  test.each([
    ['model', 'heat'],
    ['quantity', 'reactive energy'],
    ['unit', 'MWh'],
    ['register', '1-0:2.29.0'],
    ['intervalMs', 900_000],
    ['horizon', 48],
    ['contextLength', 25],
    ['inputs', [{ name: 'X', type: 'float32', shape: [null, 4] }]],
    ['inputs', [{ name: 'X', type: 'float32', shape: [1, 3] }]],
    ['outputs', [{ name: 'y', type: 'float32', shape: [null, 23] }]],
  ])('with another %s (%j) is refused with what differs', (name, value) => {
    const result = parse({ [name]: value })
    expect(result).toMatchObject({
      refusal: { code: 'CONTRACT_MISMATCH', hint: expect.any(String) as string },
    })
    expect(!result.ok && result.refusal.message).toContain(name)
  })

  test.each([
    ['intervalMs', 900_000],
    ['horizon', 12],
  ])('whose features have another %s is refused', (name, value) => {
    const result = parse({ features: { ...short.features, [name]: value } })
    expect(result).toMatchObject({ refusal: { code: 'CONTRACT_MISMATCH' } })
  })

  test.each([
    ['nothing', { features: undefined }],
    ['no end of its data', { trainedUntil: undefined }],
    ['an end of its data in words', { trainedUntil: 'last week' }],
    ['no author', { author: '  ' }],
    ['a misspelt field', { registre: '1-0:1.29.0' }],
    ['quantiles, which are not served of a foreign file', { quantiles: [0.1, 0.9] }],
    ['no terms at all', { features: {} }],
    ['an unknown term', { features: { shared: [{ kind: 'weather' }] } }],
    ['a lag beyond every bound', { features: { shared: [{ kind: 'lags', lags: [1e9] }] } }],
    ['a tensor of another type', { inputs: [{ name: 'X', type: 'int64', shape: [null, 3] }] }],
    ['two outputs', { outputs: ['a', 'b'].map((name) => ({ name, type: 'float32', shape: [null, 24] })) }],
  ])('with %s is malformed', (_, more) => {
    expect(parse(more)).toMatchObject({
      refusal: { code: 'MALFORMED', hint: expect.stringContaining('README') as string },
    })
  })

  test.each([null, [], 'text', 3])('that is %j is malformed', (document) => {
    expect(parseContractFile(document, definition)).toMatchObject({ refusal: { code: 'MALFORMED' } })
  })

  test('no longer fits a definition that was changed in the meantime', () => {
    const { contract } = toRegistrationRecord(parsed(), names, definition)
    expect(checkDefinition(contract, definition).ok).toBe(true)
    expect(checkDefinition(contract, { ...definition, unit: 'MWh' })).toMatchObject({
      refusal: { code: 'CONTRACT_MISMATCH' },
    })
  })
})
