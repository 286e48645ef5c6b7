import { errorSumsOf } from '@imlma/protocol/metrics'
import { Failure } from '@imlma/protocol/result'
import { featureSpecSchema, type FeatureSpec } from '@imlma/protocol/features'
import { utc } from '@imlma/protocol/series'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { rollingOrigin } from '../../datasets/split.ts'
import type { StudyState, Trial } from '../../tuning/study-state.ts'
import type { Learner, LearnerParts, TrainedModel, TrainingExamples } from '../learner.ts'
import { tunableLearners } from '../learners.ts'
import { choicesOf } from '../feature-choices.ts'
import { createRecall } from '../recall.ts'
import type { AutoOptions, AutoParts } from './auto.ts'
import { findModel } from './find-model.ts'
import { keepLatest } from './keep-latest.ts'
import { defaultConfigurations, toAutoSpace, toChoice } from './auto-space.ts'

/** A learner whose loss is a known function of its parameter and of the fold. */
const learnerOf = (name: string, lossOf: (x: number, fold: number) => number, sign = 1): Learner => ({
  name,
  parametersSchema: z.object({ x: z.number().default(0.5), refit: z.boolean().default(true) }),
  space: { x: { kind: 'float', low: 0, high: 1 } },
  train: async (_parts, { validation }, parameters, run) => {
    const { x, refit } = parameters as { x: number; refit: boolean }
    run.onProgress({ phase: 'train', fraction: 1 })
    if (refit) throw new Error('a search must not refit on what it validates on')
    const error = sign * Math.sqrt(lossOf(x, validation.origins[0] as number))
    return {
      validation: errorSumsOf([error, error], [0, 0]),
      residuals: Float32Array.of(error, error),
      parameters,
    } as unknown as TrainedModel
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

/** A fold tells itself by the origin of its only validation row. */
const examplesOf = (fold: number): TrainingExamples => {
  const rows = {
    rows: 1,
    features: new Float32Array(1),
    targets: new Float32Array(2),
    series: new Uint32Array(1),
    origins: Float64Array.of(fold),
    dropped: { tooManyMissing: 0, covariateMissing: 0, targetMissing: 0 },
  }
  const many = { ...rows, rows: 3_000, features: new Float32Array(3_000), targets: new Float32Array(6_000) }
  return { builder: { count: 1, horizon: 2 }, train: many, validation: rows } as unknown as TrainingExamples
}

const auto = (learners: readonly Learner[], trials: StudyState[] = []): AutoParts => {
  let time = 0
  return {
    learners,
    parts: { recall: createRecall() } as LearnerParts,
    prepare: (_spec, fold) => examplesOf(fold),
    seconds: () => (time += 1),
    onTrial: async (state) => void trials.push(state),
  }
}

const withoutSeconds = ({ outcome, ...rest }: Trial) => ({ ...rest, outcome: { ...outcome, seconds: 0 } })

const options: AutoOptions = {
  features: choicesOf({ default: spec }),
  folds: 2,
  trials: 20,
  seed: 3,
  secondsMax: 1e6,
}

describe('choosing a model', () => {
  test('finds the learner and its parameter', async () => {
    const { winner, single } = await findModel(auto([constant, quadratic]), options)
    expect(winner).toBe(single)
    expect(winner.learner.name).toBe('quadratic')
    expect(winner.parameters['x']).toBeCloseTo(0.8, 1)
    expect(winner.value).toBeCloseTo(0.1, 2)
  })

  test('tries every learner as it comes first', async () => {
    const trials: StudyState[] = []
    await findModel(auto([constant, quadratic], trials), { ...options, trials: 2 })
    expect(trials.at(-1)?.trials.map(({ configuration }) => configuration)).toEqual([
      { learner: 'constant', features: 'default', 'constant.x': 0.5 },
      { learner: 'quadratic', features: 'default', 'quadratic.x': 0.5 },
    ])
  })

  test('that was interrupted goes on as if nothing had happened', async () => {
    const whole = await findModel(auto([constant, quadratic]), options)
    const trials: StudyState[] = []
    await findModel(auto([constant, quadratic], trials), { ...options, trials: 9 })
    const stored = JSON.parse(JSON.stringify(trials.at(-1))) as StudyState
    // A kill leaves a trial that was asked for and never told.
    const open = { ...stored.trials[8]!, number: 9, purpose: 'start' as const }
    const { outcome: _outcome, ...unfinished } = open
    const resumed = await findModel(auto([constant, quadratic]), {
      ...options,
      resume: { ...stored, trials: [...stored.trials, unfinished] },
    })
    expect(resumed.state.trials).toEqual(whole.state.trials)
  })

  test.each(['median', 'halving'] as const)(
    'that was interrupted discards (%s) what it would have discarded',
    async (discard) => {
      const erratic = learnerOf('erratic', (x, fold) => Math.abs(Math.sin(40 * x)) + 0.1 * fold)
      const whole = await findModel(auto([erratic]), { ...options, discard })
      const kinds = whole.state.trials.map(({ outcome }) => outcome?.kind)
      expect(kinds).toContain('discarded')
      const rungs = whole.state.trials.flatMap(({ outcome }) =>
        outcome?.kind === 'failed' ? [] : (outcome?.onTheWay ?? []).filter(([resource]) => resource < 1),
      )
      expect(rungs.length > 0).toBe(discard === 'halving')
      const states: StudyState[] = []
      await findModel(auto([erratic], states), { ...options, discard, trials: 8 })
      const resume = JSON.parse(JSON.stringify(states.at(-1))) as StudyState
      const resumed = await findModel(auto([erratic]), { ...options, discard, resume })
      expect(resumed.state.trials.map(withoutSeconds)).toEqual(whole.state.trials.map(withoutSeconds))
      expect(resumed.winner.parameters).toEqual(whole.winner.parameters)
      expect(resumed.winner.value).toBe(whole.winner.value)
    },
  )

  test('begins anew where what it should go on with was about something else', async () => {
    const trials: StudyState[] = []
    await findModel(auto([constant], trials), { ...options, trials: 3 })
    const resume = trials.at(-1) as StudyState
    const { state } = await findModel(auto([quadratic]), { ...options, trials: 3, resume })
    expect(state.trials.map(({ configuration }) => configuration['learner'])).toEqual(
      Array(3).fill('quadratic'),
    )
  })

  test('prefers the quick where trials take very different times, and not where time is not told', async () => {
    // As good as each other, with noise, so that there is always something to be gained by either.
    const noisy = (x: number): number => 1 + (x - 0.5) ** 2 + 0.3 * Math.sin(1e4 * x) ** 2
    const quick = learnerOf('quick', noisy)
    const slow = learnerOf('slow', (x) => noisy(1 - x))
    const slowTrials = async (costs: boolean): Promise<number> => {
      let time = 0
      const timed: AutoParts = {
        ...auto([quick, slow]),
        seconds: () => time,
        onStep: (_trial, name) => {
          if (costs) time += name === 'slow' ? 100 : 1
        },
      }
      const { state } = await findModel(timed, { ...options, trials: 30, average: false })
      return state.trials.filter(({ configuration }) => configuration['learner'] === 'slow').length
    }
    expect(await slowTrials(true)).toBeLessThan(0.6 * (await slowTrials(false)))
  })

  test('averages models whose errors cancel, also where the study was taken up again', async () => {
    const high = learnerOf('high', (x) => (x - 0.5) ** 2 + 0.2)
    const low = learnerOf('low', (x) => (x - 0.5) ** 2 + 0.3, -1)
    const states: StudyState[] = []
    const { winner, single } = await findModel(auto([high, low], states), options)
    expect(winner.learner.name).toBe('average')
    expect(winner.value).toBeLessThan(0.01)
    expect(single.learner.name).toBe('high')
    const resumed = await findModel(auto([high, low]), {
      ...options,
      resume: JSON.parse(JSON.stringify(states.at(-1))) as StudyState,
    })
    expect(resumed.winner.value).toBe(winner.value)
    const alone = await findModel(auto([high, low]), { ...options, average: false })
    expect(alone.winner.learner.name).toBe('high')
  })

  test('ends a trial after the first fold when it is clearly worse than the others', async () => {
    const erratic = learnerOf('erratic', (x) => (x > 0.55 ? 100 : 1 + x))
    const { state } = await findModel(auto([erratic]), options)
    const kinds = new Set(state.trials.map(({ outcome }) => outcome?.kind))
    expect(kinds).toContain('discarded')
  })

  test('survives failing trials, and says why when none could be finished', async () => {
    const failing = learnerOf('failing', () => {
      throw new Failure('TOO_FEW_ROWS', '3 rows')
    })
    const { winner } = await findModel(auto([failing, quadratic]), options)
    expect(winner.learner.name).toBe('quadratic')
    await expect(findModel(auto([failing]), { ...options, trials: 3 })).rejects.toMatchObject({
      code: 'NO_TRIAL',
      hint: 'TOO_FEW_ROWS: 3 rows',
    })
  })

  test('begins no trial after its time', async () => {
    const { state } = await findModel(auto([quadratic]), { ...options, secondsMax: 8 })
    expect(state.trials.length).toBeLessThan(8)
    expect(state.trials.length).toBeGreaterThan(0)
  })
})

describe('the space of everything', () => {
  test('holds the defaults of every learner that there is', () => {
    const axes = { 'look-back': ['a day', 'a week'], calendar: ['plain', 'close'] }
    const space = toAutoSpace(tunableLearners, axes)
    const defaults = defaultConfigurations(tunableLearners, axes)
    expect(defaults.map(({ learner }) => learner)).toEqual(tunableLearners.map(({ name }) => name))
    for (const configuration of defaults) {
      const { learner, parameters, features } = toChoice(configuration, axes)
      expect(features).toBe('a day, plain')
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
      return examplesOf(made.length)
    }, 0)
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
