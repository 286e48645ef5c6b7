/**
 * The average of a few models as a learner: each member is trained on its own columns of the same rows, and all of
 * them become one graph that takes the one row and gives the weighted sum.
 */
import { createFeatureBuilder, type FeatureBuilder, type FeatureSpec } from '@imlma/protocol/features'
import { errorSumsOf, metricsOf } from '@imlma/protocol/metrics'
import { Failure } from '@imlma/protocol/result'
import { z } from 'zod'
import type { Examples } from '../examples.ts'
import type { Forecasts, Learner, TrainedModel, TrainingExamples, TrainingRun } from '../learner.ts'
import { parametersFor } from '../parameters-for.ts'
import { averageGraph } from './average-graph.ts'

export interface Member {
  readonly learner: Learner
  /** Only what was searched; the learner's defaults fill the rest. */
  readonly parameters: Readonly<Record<string, unknown>>
  /** Name of what it looks at, and what that is: columns that the average's own features have under the same names. */
  readonly features: string
  readonly spec: FeatureSpec
  /** All of them sum to 1. */
  readonly weight: number
}

export const averageName = 'average'

/** Parameters given to it are those of all members; what a member was chosen with goes first. */
export const averageOf = (members: readonly Member[]): Learner => ({
  name: averageName,
  parametersSchema: z.looseObject({}),
  space: {},
  train: async (parts, examples, parameters, run) => {
    const pick = createPicker(examples)
    const trained: Trained[] = []
    for (const [i, member] of members.entries()) {
      const { learner, features, spec, weight } = member
      const own = pick(spec)
      const settings = parametersFor(learner, { ...(parameters as object), ...member.parameters })
      const model = await learner.train(parts, own.examples, settings, partOf(run, i, members.length))
      trained.push({ ...own, model, weight: Math.fround(weight), learner: learner.name, features })
    }
    return toModel(trained, examples)
  },
})

interface Picked {
  readonly examples: TrainingExamples
  readonly columns: readonly string[]
  /** A row of the average as the member sees it. */
  readonly pick: (features: Float32Array, rows: number) => Float32Array
}

interface Trained extends Picked {
  readonly model: TrainedModel
  readonly weight: number
  readonly learner: string
  readonly features: string
}

/** Throws `Failure` INCOMPLETE where a member judged itself on some of its rows only. */
const toModel = (trained: readonly Trained[], { builder, validation }: TrainingExamples): TrainedModel => {
  const { targets } = validation
  const whole = trained.every(({ model }) => model.residuals.length === targets.length)
  if (!whole) {
    throw new Failure('INCOMPLETE', 'an average cannot be judged on rows that not all of its members know', {
      hint: 'raise longRowsMax of the learner trees',
    })
  }
  const residuals = new Float32Array(targets.length)
  for (const { model, weight } of trained)
    for (let i = 0; i < residuals.length; i++)
      residuals[i] = (residuals[i] as number) + weight * (model.residuals[i] as number)
  const sumOf =
    (ask: (model: TrainedModel, features: Float32Array, rows: number) => Forecasts | undefined) =>
    async (features: Float32Array, rows: number): Promise<Float64Array> => {
      let sum = new Float64Array(0)
      for (const { model, weight, pick } of trained) {
        const one = (await ask(model, pick(features, rows), rows)) ?? []
        if (sum.length === 0) sum = new Float64Array(one.length)
        for (let i = 0; i < sum.length; i++) sum[i] = (sum[i] as number) + weight * (one[i] as number)
      }
      return sum
    }
  const probabilities = sharedProbabilities(trained)
  return {
    graph: averageGraph(
      trained.map(({ model: { graph }, weight, columns }) => ({ graph, weight, columns })),
      builder.names,
      probabilities !== undefined,
    ),
    forecast: sumOf((model, features, rows) => model.forecast(features, rows)),
    ...(probabilities !== undefined && {
      quantiles: {
        probabilities,
        forecast: sumOf(({ quantiles }, features, rows) => quantiles?.forecast(features, rows)),
      },
    }),
    parameters: {
      members: trained.map(({ learner, features, weight, model }) => ({
        learner,
        features,
        weight,
        parameters: model.parameters,
        validation: { mse: metricsOf(model.validation).mse, mae: metricsOf(model.validation).mae },
      })),
    },
    validation: errorSumsOf(
      residuals.map((residual, i) => residual + (targets[i] as number)),
      targets,
    ),
    residuals,
  }
}

/** Quantiles are averaged one by one, which keeps them in order; undefined where not all members have the same. */
const sharedProbabilities = (trained: readonly Trained[]): readonly number[] | undefined => {
  const [first, ...others] = trained.map(({ model }) => model.quantiles?.probabilities)
  return first !== undefined && others.every((one) => String(one) === String(first)) ? first : undefined
}

/** Each spec's view of the same rows, made once. */
const createPicker = (examples: TrainingExamples): ((spec: FeatureSpec) => Picked) => {
  const known = new Map<FeatureSpec, Picked>()
  const { names } = examples.builder
  const places = new Map(names.map((name, place) => [name, place]))
  return (spec) => {
    const before = known.get(spec)
    if (before !== undefined) return before
    const builder = createFeatureBuilder(spec)
    const columns = builder.names
    const from = Int32Array.from(columns, (name) => places.get(name) as number)
    const isWhole = columns.length === names.length && from.every((place, i) => place === i)
    const pick = (features: Float32Array, rows: number): Float32Array =>
      isWhole ? features : gathered(features, rows, names.length, from)
    const narrowed = (one: Examples): Examples => ({ ...one, features: pick(one.features, one.rows) })
    const own: Picked = { columns, pick, examples: isWhole ? examples : viewOf(examples, builder, narrowed) }
    known.set(spec, own)
    return own
  }
}

const viewOf = (
  { train, validation }: TrainingExamples,
  builder: FeatureBuilder,
  narrowed: (examples: Examples) => Examples,
): TrainingExamples => ({ builder, train: narrowed(train), validation: narrowed(validation) })

const gathered = (features: Float32Array, rows: number, width: number, from: Int32Array): Float32Array => {
  const picked = new Float32Array(rows * from.length)
  for (let row = 0; row < rows; row++)
    for (let i = 0; i < from.length; i++)
      picked[row * from.length + i] = features[row * width + (from[i] as number)] as number
  return picked
}

const partOf = (run: TrainingRun, member: number, members: number): TrainingRun => ({
  ...run,
  onProgress: (progress) => run.onProgress({ ...progress, fraction: (member + progress.fraction) / members }),
})
