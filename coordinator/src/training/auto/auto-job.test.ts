import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { contextLengthOf, featureCount } from '@imlma/protocol/features'
import { limits } from '@imlma/protocol/limits'
import { utc } from '@imlma/protocol/series'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { freezeSnapshot, type FrozenSnapshot } from '../../datasets/snapshot.fs.ts'
import type { StudyState } from '../../tuning/study-state.ts'
import { parityMax, type StudyRequest, type TrainingJob } from '../job.ts'
import { parityOf } from '../parity.ts'
import { featureChoices } from '../recipe.ts'
import { runTrainingJob } from '../run-job.onnx.ts'
import { openForecastSession } from '../session.onnx.ts'

const hourMs = 3_600_000
const dayHours = 24
const start = Date.UTC(2024, 2, 4)
const days = 42
let folder = ''
let frozen: FrozenSnapshot

/** Daily waves that a line explains, weather with a bend that trees explain, and noise that nobody does. */
const valuesOf = (meter: number): Float32Array => {
  let state = 17 + meter
  const random = () => (state = (state * 16_807) % 2_147_483_647) / 2_147_483_647 - 0.5
  return Float32Array.from({ length: days * dayHours }, (_, i) => {
    const weekend = Math.floor(i / 24) % 7 > 4 ? 0.5 : 1
    return (
      (1 + meter) *
      (2 + weekend * Math.sin((2 * Math.PI * i) / 24) + (i % 24 > 17 ? 0.6 * weekend : 0) + 0.6 * random())
    )
  })
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'imlma-auto-'))
  frozen = await freezeSnapshot(
    { folder },
    {
      v: 1,
      model: 'load',
      site: 'north',
      series: [0, 1].map((meter) => ({
        meter: `m-${meter}`,
        register: 'load',
        intervalMs: hourMs,
        start,
        values: valuesOf(meter),
      })),
      covariates: [],
      window: { start, end: start + days * dayHours * hourMs },
      trainEnd: start + (days - 8) * dayHours * hourMs,
      evaluation: { start: start + (days - 7) * dayHours * hourMs, end: start + days * dayHours * hourMs },
      provenance: [],
    },
  )
})
afterAll(() => rm(folder, { recursive: true }))

const jobWith = (
  study: Partial<StudyRequest> = {},
  task: Partial<TrainingJob['task']> = {},
): TrainingJob => ({
  dataset: frozen,
  task: {
    register: 'load',
    intervalMs: hourMs,
    horizon: 4,
    zone: utc,
    holidays: [],
    originStride: 5,
    ...task,
  },
  learner: 'auto',
  study: { trials: 6, folds: 2, secondsMax: 600, learners: ['ridge', 'trees'], ...study },
  parameters: {},
  seed: 2,
  outputFolder: join(folder, 'artifacts'),
})

const run = async (job: TrainingJob) => {
  const states: StudyState[] = []
  const outcome = await runTrainingJob(job, {
    onProgress: () => undefined,
    onTrial: async (state) => void states.push(state),
    signal: new AbortController().signal,
  })
  return { outcome, states }
}

type Members = readonly { readonly learner: string; readonly features: string; readonly weight: number }[]

describe('a study in production', () => {
  let whole: Awaited<ReturnType<typeof run>>
  beforeAll(async () => {
    whole = await run(jobWith())
  }, 60_000)
  const after = (trials: number) => JSON.parse(JSON.stringify(whole.states[trials - 1])) as StudyState

  test('exports the average of its best few as one graph of one input, faithful to its members', async () => {
    const { outcome } = whole
    expect(outcome.learner).toBe('average')
    const members = outcome.parameters['members'] as Members
    expect(members.length).toBeGreaterThan(1)
    expect(members.reduce((sum, { weight }) => sum + weight, 0)).toBeCloseTo(1, 6)
    expect(outcome.parity).toBeLessThanOrEqual(parityMax)
    const session = await openForecastSession(outcome.artifactPath)
    for (const { input, output } of outcome.golden) {
      expect(input).toHaveLength(featureCount(outcome.features))
      expect(parityOf(await session.run(input, 1), output, 4)).toBeLessThanOrEqual(parityMax)
    }
    await session.close()
    const single = Math.min(
      ...(outcome.study?.trials ?? []).flatMap(({ outcome: one }) =>
        one?.kind === 'done' ? [one.value] : [],
      ),
    )
    expect(outcome.metrics.validation.mse).toBeLessThan(1.05 * single)
  })

  test('takes the best model alone where a gateway could not afford the average', async () => {
    const { outcome } = await run(jobWith({ resume: after(6) }, { latencyMsBudget: 1e-6 }))
    expect(['ridge', 'trees']).toContain(outcome.learner)
    const again = await run(jobWith({ resume: after(6) }, { latencyMsBudget: 1e6 }))
    expect(again.outcome.sha256).toBe(whole.outcome.sha256)
  }, 60_000)

  test('that was killed gives the same file as one that was not', async () => {
    const resumed = await run(jobWith({ resume: after(4) }))
    expect(resumed.states).toHaveLength(2)
    expect(resumed.outcome.sha256).toBe(whole.outcome.sha256)
  }, 60_000)

  test('does not search what its parameters fix, learner by learner', async () => {
    const job = {
      ...jobWith({ learners: ['trees'], trials: 3 }),
      parameters: { trees: { rounds: 7, l2: 3 } },
    }
    const { outcome } = await run(job)
    expect(Object.keys(outcome.study?.space ?? {})).not.toContain('trees.l2')
    const { parameters } = outcome
    const members =
      outcome.learner === 'average' ? (parameters['members'] as { parameters: object }[]) : [{ parameters }]
    for (const member of members) expect(member.parameters).toMatchObject({ rounds: 7, l2: 3 })
    for (const trees of ['many', { rounds: -1 }])
      await expect(run({ ...job, parameters: { trees } })).rejects.toMatchObject({ code: 'BAD_PARAMETERS' })
  })

  test('searches the learners that it is told, and knows who is not one', async () => {
    const { outcome } = await run(jobWith({ learners: ['ridge'], trials: 3 }))
    expect(outcome.study?.space['learner']).toMatchObject({ choices: ['ridge'] })
    await expect(run(jobWith({ learners: ['ridge', 'oracle'] }))).rejects.toMatchObject({
      code: 'UNKNOWN_LEARNER',
      hint: expect.stringContaining('ridge'),
    })
  })
})

describe('the features to choose from', () => {
  const request = (history: number, intervalMs = hourMs, horizon = 24) => ({
    intervalMs,
    horizon,
    historySteps: (history * dayHours * hourMs) / intervalMs,
    zone: utc,
    holidays: ['2024-05-01'],
    covariates: [{ name: 'temperature', knots: [12, 20] }],
  })

  test('reach as far back as the history holds twice', () => {
    const looks = (history: number) => featureChoices(request(history)).axes['look-back']
    expect(looks(90)).toEqual(['a day, a week ago', 'a day', 'a week', 'four weeks'])
    expect(looks(30)).toEqual(['a day, a week ago', 'a day', 'a week'])
    expect(looks(8)).toEqual(['a day'])
  })

  test('offer a closer calendar and the past of covariates', () => {
    const { axes, specs } = featureChoices(request(90))
    expect(axes['calendar']).toHaveLength(2)
    expect(axes['covariates']).toEqual(['as they are', 'with their past'])
    expect(Object.keys(specs)).toHaveLength(4 * 2 * 2)
    expect(featureChoices({ ...request(90), covariates: [] }).axes).not.toHaveProperty('covariates')
  })

  test.each([60_000, 900_000, hourMs, 86_400_000])('stay within the limits at %d ms', (intervalMs) => {
    for (const horizon of [1, 96, 1_000])
      for (const history of [2, 30, 800]) {
        const { axes, specs } = featureChoices(request(history, intervalMs, horizon))
        const combinations = Object.values(axes).reduce((count, { length }) => count * length, 1)
        expect(Object.keys(specs)).toHaveLength(combinations)
        for (const spec of Object.values(specs)) {
          expect(contextLengthOf(spec)).toBeLessThanOrEqual(limits.contextLengthMax)
          expect(featureCount(spec)).toBeLessThanOrEqual(limits.featuresMax)
        }
      }
  })
})
