/**
 * Versions without learning, for what comes after it: a ridge of the usual size with made-up weights, other ones each
 * time, and a gate that always says yes. Everything from the verdict on (signing, rollout, transfer) is the real thing.
 */

import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createFeatureBuilder } from '@imlma/protocol/features'
import { limits } from '@imlma/protocol/limits'
import { sha256 } from '@imlma/protocol/node'
import { dayMs } from '@imlma/protocol/series'
import type { ModelDefinition } from '../../lifecycle/definition.ts'
import type { Judge } from '../../lifecycle/judge.ts'
import type { ArtifactStore } from '../../storage/artifacts.ts'
import type { TrainingJob, TrainingOutcome } from '../../training/job.ts'
import { forecastLinear, linearGraph, type LinearModel } from '../../training/linear-model.ts'
import { encodeModel } from '../../training/model.protobuf.ts'
import { planNormalisation } from '../../training/normalisation.ts'
import { defaultFeatureSpec } from '../../training/recipe.ts'
import type { Learning } from '../centre.process.ts'

/** Enough history for a week's season: the features are those of a model in normal work. */
const historyDays = 56

export const createPreparedLearning = (artifacts: Pick<ArtifactStore, 'put'>): Learning => {
  let prepared = Date.now()
  return {
    freeze: (definition) => freeze(artifacts, definition),
    trainer: () => ({
      train: (job) => train(job, prepared++),
      evaluate: () => Promise.reject(new Error('prepared versions are not evaluated')),
    }),
    judge: promote,
  }
}

const freeze: (
  ...of: [Pick<ArtifactStore, 'put'>, ModelDefinition]
) => ReturnType<Learning['freeze']> = async (artifacts, { name }) => {
  const stored = await artifacts.put(new TextEncoder().encode(`no readings of ${name}`))
  const range = { start: 0, end: historyDays * dayMs }
  const record = { ...stored, series: 1, readings: 1, window: range, trainEnd: range.end }
  return { ok: true, value: { ...record, evaluation: range, provenance: [] } }
}

const train = async ({ task, outputFolder }: TrainingJob, seed: number): Promise<TrainingOutcome> => {
  const spec = defaultFeatureSpec({ ...task, historySteps: (historyDays * dayMs) / task.intervalMs })
  const builder = createFeatureBuilder(spec)
  const noise = (length: number, size: number): Float32Array =>
    Float32Array.from({ length }, (_, i) => size * Math.sin(seed + i * 12.9898))
  const model: LinearModel = {
    features: builder.count,
    horizon: spec.horizon,
    normalisation: planNormalisation(builder, { level: 'mean', scale: 'deviation' }),
    means: new Float32Array(builder.count),
    deviations: new Float32Array(builder.count).fill(1),
    weights: noise(builder.count * spec.horizon, 0.01),
    intercepts: noise(spec.horizon, 0.1),
  }
  const content = encodeModel(linearGraph(model, 'prepared'), { learner: 'ridge' })
  const digest = sha256(content)
  const artifactPath = join(outputFolder, digest)
  await writeFile(artifactPath, content)
  const nothing = { histogram: { edges: [0], counts: [0, 0] }, rows: 0 }
  const errors = { count: 1, mse: 1, mae: 1, r2: 0, bias: 0, rmse: 1 }
  return {
    artifactPath,
    sha256: digest,
    bytes: content.byteLength,
    learner: 'ridge',
    parameters: {},
    metrics: { train: errors, validation: errors },
    features: spec,
    golden: Array.from({ length: limits.goldenVectorsMin }, (_, row) => {
      const input = noise(builder.count, row + 1)
      return { input, output: Float32Array.from(forecastLinear(model, input, 1)) }
    }),
    parity: 0,
    reference: { inputs: {}, residuals: nothing },
    rows: { train: 1, validation: 1 },
    dropped: { tooManyMissing: 0, covariateMissing: 0, targetMissing: 0 },
    originStride: 1,
    trainEnd: historyDays * dayMs,
    seconds: 0,
  }
}

const promote: Judge = async ({ dataset, champion }) => ({
  verdict: 'promote',
  reasons: ['prepared: not judged'],
  checks: [],
  window: dataset.evaluation,
  rows: 1,
  champion: { version: champion?.version ?? null, learner: 'ridge', mse: 1, mae: 1, r2: 0 },
  challenger: { mse: 0.5, mae: 0.5, r2: 0.5 },
})
