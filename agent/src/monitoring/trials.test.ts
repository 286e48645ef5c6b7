import { expect, test } from 'vitest'
import { createFeatureBuilder } from '@imlma/protocol/features'
import type { Session } from '../models/serving.ts'
import type { TrialEvidence } from '../models/trials.ts'
import type { ForecastBatch } from '../serving/forecaster.ts'
import type { LoadedModel } from '../serving/serving.ts'
import { tinyContract } from '../serving/testing/index.ts'
import { createTrials } from './trials.ts'

const intervalMs = 900_000
const contract = tinyContract({ features: 2, horizon: 2 })
const builder = createFeatureBuilder(contract.features)
const challenger = { model: 'load', version: 2, sha256: 'b'.repeat(64) }
const champion: Session = {
  model: 'load',
  version: 1,
  sha256: 'a'.repeat(64),
  contract,
  run: async () => new Float32Array(2),
  close: () => Promise.reject(new Error('whoever lent it closes it')),
}

const batch = (origin: number, values: readonly number[], by = challenger): ForecastBatch => ({
  ...by,
  register: contract.register,
  builder,
  origin,
  meters: ['m1'],
  features: new Float32Array(2),
  values: Float32Array.from(values),
})

const create = (beside: Session | null = champion) => {
  const heard: TrialEvidence[] = []
  const active = new Map<string, LoadedModel>()
  const asked: ForecastBatch[] = []
  const trials = createTrials({
    beside: {
      activate: (model) => void active.set(model.model, model),
      deactivate: (model) => void active.delete(model),
    },
    run: (each) => void asked.push(each),
    readActual: (_meter, _register, _interval, at) => at / intervalMs,
  })
  const range = { low: 0, high: 50 }
  const end = trials.begin({ challenger, champion: beside ?? undefined, range }, (evidence) =>
    heard.push(evidence),
  )
  const pair = (origin: number, answered: number, standing: number): void =>
    trials.onPaired({
      model: 'load',
      champion: challenger.version,
      challenger: champion,
      steps: [1],
      meters: ['m1'],
      origin,
      intervalMs,
      championValues: Float32Array.of(answered),
      challengerValues: Float32Array.of(standing),
    })
  const close = (at: number): void =>
    trials.onClosed({ model: 'load', register: contract.register, intervalMs, end: at })
  return { trials, heard, active, asked, end, pair, close }
}

test('the champion runs what the challenger forecast, and both are held against what came', async () => {
  const { trials, heard, active, asked, pair, close } = create()
  expect(active.get('load')).toMatchObject({ version: 1 })
  trials.onBatch(batch(10 * intervalMs, [13, 99]))
  expect(asked).toHaveLength(1)
  pair(10 * intervalMs, 13, 8)
  close(11 * intervalMs)
  expect(heard).toEqual([
    {
      eventMs: intervalMs,
      pairs: 1,
      challenger: { squared: 9, absolute: 3 },
      champion: { squared: 4, absolute: 2 },
      values: 2,
      outside: 1,
      championValues: 1,
      championOutside: 0,
    },
  ])
  // Closing what it was lent would take the way back.
  await active.get('load')?.close()
})

test('sums go on from interval to interval, and the time with them', () => {
  const { trials, heard, pair, close } = create()
  for (const step of [10, 11]) {
    trials.onBatch(batch(step * intervalMs, [step, step]))
    pair(step * intervalMs, step + 1, step + 2)
    close((step + 1) * intervalMs)
  }
  expect(heard.at(-1)).toMatchObject({
    eventMs: 2 * intervalMs,
    pairs: 2,
    challenger: { absolute: 2 },
    champion: { absolute: 4 },
  })
})

test('without a champion the challenger is watched alone', () => {
  const { trials, heard, active, asked, close } = create(null)
  trials.onBatch(batch(0, [1, 99]))
  close(intervalMs)
  expect([active.size, asked.length]).toEqual([0, 0])
  expect(heard).toHaveLength(1)
})

test('what another version forecasts is nothing to it', () => {
  const { trials, heard, asked, close } = create()
  trials.onBatch(batch(0, [1, 1], { ...challenger, sha256: 'c'.repeat(64) }))
  close(intervalMs)
  expect([asked, heard]).toEqual([[], []])
})

test('once ended, nothing runs beside any more', () => {
  const { trials, heard, active, end, close } = create()
  trials.onBatch(batch(0, [1, 1]))
  end()
  close(intervalMs)
  expect([active.size, heard.length]).toEqual([0, 0])
})
