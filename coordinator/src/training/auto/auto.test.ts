import { errorSumsOf } from '@imlma/protocol/metrics'
import { Failure } from '@imlma/protocol/result'
import { featureSpecSchema, type FeatureSpec } from '@imlma/protocol/features'
import { utc } from '@imlma/protocol/series'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { rollingOrigin } from '../../datasets/split.ts'
import type { StudyState } from '../../tuning/study-state.ts'
import type { Learner, LearnerParts, TrainedModel, TrainingExamples } from '../learner.ts'
import { tunableLearners } from '../learners.ts'
import { chooseModel, type AutoOptions, type AutoParts } from './auto.ts'
import { keepLatest } from './keep-latest.ts'
import { defaultConfigurations, toAutoSpace, toChoice } from './auto-space.ts'

/** A learner whose loss is a known function of its parameter and of the fold. */
const learnerOf = (name: string, lossOf: (x: number, fold: number) => number): Learner => ({
  name,
  parametersSchema: z.object({ x: z.number().default(0.5), refit: z.boolean().default(true) }),
  space: { x: { kind: 'float', low: 0, high: 1 } },
  train: async (_parts, { train }, parameters) => {
    const { x, refit } = parameters as { x: number; refit: boolean }
    if (refit) throw new Error('a search must not refit on what it validates on')
    const error = Math.sqrt(lossOf(x, train.rows))
    return { validation: errorSumsOf([error, error], [0, 0]), parameters } as unknown as TrainedModel
  },
})

const spec = featureSpecSchema.parse({
  v: 1,
  intervalMs: 3_600_000,
  horizon: 1,
  seasonSteps: 1,
  missingMax: 0,
  zone: [...utc],
  holidays: [],
  shared: [{ kind: 'lags', lags: [1] }],
  step: [],
})

const quadratic = learnerOf('quadratic', (x) => (x - 0.8) ** 2 + 0.1)
const constant = learnerOf('constant', () => 0.5)

const auto = (learners: readonly Learner[], trials: StudyState[] = []): AutoParts => {
  let time = 0
  return {
    learners,
    parts: {} as LearnerParts,
    prepare: (_spec, fold) => ({ train: { rows: fold } }) as unknown as TrainingExamples,
    seconds: () => (time += 1),
    onTrial: async (state) => void trials.push(state),
  }
}

const options: AutoOptions = { features: { default: spec }, folds: 2, trials: 20, seed: 3, secondsMax: 1e6 }

describe('choosing a model', () => {
  test('finds the learner and its parameter', async () => {
    const { choice, value } = await chooseModel(auto([constant, quadratic]), options)
    expect(choice.learner).toBe('quadratic')
    expect(choice.parameters['x']).toBeCloseTo(0.8, 1)
    expect(value).toBeCloseTo(0.1, 2)
  })

  test('tries every learner as it comes first', async () => {
    const trials: StudyState[] = []
    await chooseModel(auto([constant, quadratic], trials), { ...options, trials: 2 })
    expect(trials.at(-1)?.trials.map(({ configuration }) => configuration)).toEqual([
      { learner: 'constant', features: 'default', 'constant.x': 0.5 },
      { learner: 'quadratic', features: 'default', 'quadratic.x': 0.5 },
    ])
  })

  test('that was interrupted goes on as if nothing had happened', async () => {
    const whole = await chooseModel(auto([constant, quadratic]), options)
    const trials: StudyState[] = []
    await chooseModel(auto([constant, quadratic], trials), { ...options, trials: 9 })
    const stored = JSON.parse(JSON.stringify(trials.at(-1))) as StudyState
    // A kill leaves a trial that was asked for and never told.
    const open = { ...stored.trials[8]!, number: 9, purpose: 'start' as const }
    const { outcome: _outcome, ...unfinished } = open
    const resumed = await chooseModel(auto([constant, quadratic]), {
      ...options,
      resume: { ...stored, trials: [...stored.trials, unfinished] },
    })
    expect(resumed.state.trials).toEqual(whole.state.trials)
  })

  test('ends a trial after the first fold when it is clearly worse than the others', async () => {
    const erratic = learnerOf('erratic', (x) => (x > 0.55 ? 100 : 1 + x))
    const { state } = await chooseModel(auto([erratic]), options)
    const kinds = new Set(state.trials.map(({ outcome }) => outcome?.kind))
    expect(kinds).toContain('discarded')
  })

  test('survives failing trials, and says why when none could be finished', async () => {
    const failing = learnerOf('failing', () => {
      throw new Failure('TOO_FEW_ROWS', '3 rows')
    })
    const { choice } = await chooseModel(auto([failing, quadratic]), options)
    expect(choice.learner).toBe('quadratic')
    await expect(chooseModel(auto([failing]), { ...options, trials: 3 })).rejects.toMatchObject({
      code: 'NO_TRIAL',
      hint: 'TOO_FEW_ROWS: 3 rows',
    })
  })

  test('begins no trial after its time', async () => {
    const { state } = await chooseModel(auto([quadratic]), { ...options, secondsMax: 8 })
    expect(state.trials.length).toBeLessThan(8)
    expect(state.trials.length).toBeGreaterThan(0)
  })
})

describe('the space of everything', () => {
  test('holds the defaults of every learner that there is', () => {
    const space = toAutoSpace(tunableLearners, ['default', 'long'])
    const defaults = defaultConfigurations(tunableLearners, ['default', 'long'])
    expect(defaults.map(({ learner }) => learner)).toEqual(tunableLearners.map(({ name }) => name))
    for (const configuration of defaults) {
      const { learner, parameters } = toChoice(configuration)
      const found = tunableLearners.find(({ name }) => name === learner)
      expect(() => found?.parametersSchema.parse(parameters)).not.toThrow()
      expect(Object.keys(configuration).every((name) => name in space)).toBe(true)
    }
  })
})

describe('prepared examples', () => {
  test('are made once a fold, and anew for other features', () => {
    const made: [FeatureSpec, number][] = []
    const other = { ...spec }
    const prepare = keepLatest((features, fold) => {
      made.push([features, fold])
      return { train: { rows: made.length } } as unknown as TrainingExamples
    })
    expect(prepare(spec, 0)).toBe(prepare(spec, 0))
    expect(prepare(spec, 1)).not.toBe(prepare(spec, 0))
    prepare(other, 0)
    prepare(spec, 0)
    expect(made.map(([features, fold]) => [features === other, fold])).toEqual([
      [false, 0],
      [false, 1],
      [true, 0],
      [false, 0],
    ])
  })
})

describe('rolling origin', () => {
  const hour = 3_600_000
  const split = {
    train: { start: 0, end: 90 * hour },
    validation: { start: 100 * hour, end: 131 * hour },
  }

  test('trains each block on what came before it less the horizon, and misses nothing', () => {
    const folds = rollingOrigin(split, { intervalMs: hour, horizon: 10, folds: 3 })
    expect(folds.map(({ validation }) => [validation.start / hour, validation.end / hour])).toEqual([
      [100, 110],
      [110, 120],
      [120, 131],
    ])
    expect(folds.map(({ train }) => train.end / hour)).toEqual([90, 100, 110])
  })

  test('is one block where several would be shorter than the horizon', () => {
    expect(rollingOrigin(split, { intervalMs: hour, horizon: 16, folds: 2 })).toEqual([split])
  })
})
