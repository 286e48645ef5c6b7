import { tmpdir } from 'node:os'
import { setImmediate } from 'node:timers/promises'
import { Failure } from '@imlma/protocol/result'
import { describe, expect, test } from 'vitest'
import type { ArtifactStore } from '../storage/artifacts.ts'
import type { StudyState } from '../tuning/study-state.ts'
import { modelDefinitionSchema } from './definition.ts'
import { createEffects, type EffectParts } from './effects.ts'
import type { Training } from './run.ts'

const definition = modelDefinitionSchema.parse({
  name: 'load',
  quantity: 'active energy',
  unit: 'kWh',
  register: '1-0:1.29.0',
  intervalMs: 900_000,
  horizon: 96,
  learner: 'auto',
  trigger: { volume: 10, intervalMs: 1_000, readingsMin: 1 },
})

const state: Training = {
  phase: 'training',
  run: 'run-1',
  trigger: { kind: 'volume', evidence: {}, at: 0 },
  dataset: {
    sha256: 'd'.repeat(64),
    bytes: 1,
    series: 1,
    readings: 1,
    window: { start: 0, end: 10 },
    trainEnd: 5,
    evaluation: { start: 5, end: 10 },
    provenance: [],
  },
}

const noMore = (): never => {
  throw new Error('nothing else is asked for')
}

describe('a training with a study', () => {
  test('goes on where a trial cannot be kept: the next one is kept with it', async () => {
    const kept: number[] = []
    const studyOf = (trials: number) =>
      ({ trials: Array.from({ length: trials }, () => ({})) }) as unknown as StudyState
    let goneOn = false
    const parts: EffectParts = {
      registry: { numbers: noMore, champion: noMore, shadow: noMore, version: noMore },
      artifacts: { path: async () => 'snapshot' } as unknown as ArtifactStore,
      freeze: noMore,
      trainer: () => ({
        evaluate: noMore,
        train: async (_job, run) => {
          run?.onTrial?.(studyOf(1))
          await setImmediate()
          run?.onTrial?.(studyOf(2))
          await setImmediate()
          goneOn = true
          throw new Failure('CANCELLED', 'enough')
        },
      }),
      examine: async () => undefined,
      studies: {
        begin: async () => ({}),
        keep: async (_model, _run, { trials }) => {
          if (trials.length === 1) throw new Failure('NO_SPACE', 'the disk is full')
          kept.push(trials.length)
        },
      },
      judge: noMore,
      seal: noMore,
      rollout: { assign: noMore, settled: noMore },
      outputFolder: tmpdir(),
      codeVersion: 'test',
      now: () => 0,
    }
    const context = { signal: new AbortController().signal, onProgress: () => undefined, events: [] }
    const training = createEffects(parts)(definition, { kind: 'train', state }, context)
    await expect(training).rejects.toMatchObject({ code: 'CANCELLED' })
    expect(goneOn).toBe(true)
    expect(kept).toEqual([2])
  })
})
