import { createFeatureBuilder, featureSpecSchema } from '@imlma/protocol/features'
import { utc } from '@imlma/protocol/series'
import { beforeAll, describe, expect, test } from 'vitest'
import { averageGraph } from './auto/average-graph.ts'
import { createRandom } from '../tuning/random.ts'
import { activationNames } from './engine/activations.ts'
import { adamDefaults } from './engine/adam.ts'
import { dense, denseParameters } from './engine/dense.ts'
import { epochGraph, lossGraph } from './engine/epoch-graph.ts'
import { squaredLoss } from './engine/losses.ts'
import type { Problem } from './engine/problem.ts'
import type { Examples } from './examples.ts'
import { createGraphBuilder, type Graph, type Value } from './graph.ts'
import type { Learner, LearnerParts } from './learner.ts'
import { learnerNamed, learnerNames } from './learners.ts'
import { add } from './operators.ts'
import { createLearnerParts } from './parts.onnx.ts'
import { loadTensorFlow } from './tensorflow.tfjs.ts'
import { complaintsAbout, howToGetChecker, isCheckerMissing } from './testing/model-checker.ts'

const horizon = 3
const builder = createFeatureBuilder(
  featureSpecSchema.parse({
    v: 1,
    intervalMs: 3_600_000,
    horizon,
    seasonSteps: 24,
    missingMax: 0,
    zone: [...utc],
    holidays: [],
    shared: [
      { kind: 'statistics', over: 24, of: ['mean', 'deviation'] },
      { kind: 'lags', lags: [1, 2, 3, 4, 5] },
    ],
    step: [{ kind: 'seasonal-lag', seasonSteps: 24, count: 1 }],
  }),
)

/** Figures that a column may hold; `missing` is the share of those that are not there. */
const examplesOf = (rows: number, seed: number, missing: number): Examples => {
  const random = createRandom(seed)
  const normal = (): number => 10 + random.normal()
  const features = Float32Array.from({ length: rows * builder.count }, () =>
    random.uniform() < missing ? Number.NaN : normal(),
  )
  const targets = Float32Array.from(
    { length: rows * horizon },
    (_, i) => normal() + (features[Math.floor(i / horizon) * builder.count + 2] || 0),
  )
  const dropped = { tooManyMissing: 0, covariateMissing: 0, targetMissing: 0 }
  return { rows, features, targets, series: new Uint32Array(rows), origins: new Float64Array(rows), dropped }
}

interface Variant {
  readonly name: string
  readonly wishes: object
  /** Share of the features that are not there. */
  readonly missing?: number
}

const usual = { level: 'mean', scale: 'deviation' }
const none = { level: 'none', scale: 'none' }
const quantiles = [0.1, 0.5, 0.9]
const network = { epochs: 1, width: 8, members: 1 }
const sequence = { epochsMax: 1, units: 4, head: 8 }
const forest = { rounds: 8, rowsMin: 4 }

/** By learner: a graph of each form that its settings give it. A learner that is not named here is trained by its defaults. */
const variants: Readonly<Record<string, readonly Variant[]>> = {
  ridge: [
    { name: 'quantiles', wishes: { quantiles } },
    { name: 'quantiles, plain', wishes: { quantiles, normalisation: none } },
    ...['per-step', 'shared'].flatMap((form) =>
      [usual, none, { level: 'last', scale: 'none' }, { level: 'none', scale: 'deviation' }].map(
        (normalisation) => ({
          name: `${form}, ${Object.values(normalisation).join('/')}`,
          wishes: { form, normalisation },
        }),
      ),
    ),
  ],
  trees: [
    { name: 'one output', wishes: forest },
    { name: 'plain', wishes: { ...forest, normalisation: none } },
    { name: 'missing values', wishes: { ...forest, normalisation: none }, missing: 0.2 },
    { name: 'quantiles', wishes: { ...forest, quantiles } },
    {
      name: 'missing values, quantiles',
      wishes: { ...forest, normalisation: none, quantiles },
      missing: 0.2,
    },
    { name: 'ridge below', wishes: { ...forest, base: 'ridge', quantiles } },
    { name: 'a single leaf', wishes: { ...forest, rounds: 1, rowsMin: 10_000, quantiles } },
  ],
  perceptron: [
    ...activationNames.map((activation) => ({ name: activation, wishes: { ...network, activation } })),
    { name: 'alone', wishes: { ...network, base: 'none' } },
    { name: 'alone, plain', wishes: { ...network, base: 'none', normalisation: none } },
    { name: 'quantiles', wishes: { ...network, quantiles } },
    { name: 'quantiles, alone, plain', wishes: { ...network, base: 'none', normalisation: none, quantiles } },
    {
      name: 'three members, dropout',
      wishes: { ...network, members: 3, layers: 3, dropout: 0.2, quantiles },
    },
  ],
  recurrent: [
    { name: 'on ridge', wishes: sequence },
    {
      name: 'several lags a step, no head',
      wishes: { ...sequence, stepsMax: 2, head: 0, normalisation: none },
    },
    { name: 'alone, quantiles', wishes: { ...sequence, base: 'none', quantiles } },
    { name: 'alone, plain', wishes: { ...sequence, base: 'none', normalisation: none } },
  ],
  'seasonal-naive': [{ name: 'a day', wishes: {} }],
}

const run = { seed: 1, onProgress: () => undefined, signal: new AbortController().signal }

const trained = async (
  parts: LearnerParts,
  learner: Learner,
  { wishes, missing = 0 }: Variant,
): Promise<Graph> => {
  const examples = {
    builder,
    train: examplesOf(200, 1, missing),
    validation: examplesOf(60, 2, missing),
  }
  const parameters = learner.parametersSchema.parse(wishes)
  const { graph } = await learner.train(parts, examples, parameters, run)
  // A learner without quantiles takes no notice of the wish.
  const { quantiles: probabilities = [] } = parameters as { readonly quantiles?: readonly number[] }
  expect(graph.outputs.map(({ name }) => name)).toEqual(
    probabilities.length > 0 ? ['forecast', 'quantiles'] : ['forecast'],
  )
  return graph
}

/** What the engine runs while it trains: a `Loop` around a step, and the loss. */
const problem: Problem = {
  name: 'fit',
  features: 4,
  targets: 2,
  parameters: denseParameters([4, 8, 2]),
  loss: (graph, batch, parameters) =>
    squaredLoss(
      graph,
      dense(graph, batch.features, parameters, { layers: 2, activation: 'gelu' }),
      batch.targets,
    ),
}

const learners = learnerNames.map(learnerNamed)
const graphs = new Map<string, Graph>()
let present: readonly Learner[] = []

beforeAll(async () => {
  if (isCheckerMissing) return
  const parts = await createLearnerParts()
  const hasTensorFlow = (await loadTensorFlow()) !== undefined
  present = learners.filter(({ name }) => name !== 'recurrent' || hasTensorFlow)
  for (const learner of present)
    for (const variant of variants[learner.name] ?? [{ name: 'defaults', wishes: {} }])
      graphs.set(`${learner.name}: ${variant.name}`, await trained(parts, learner, variant))
  const columns = builder.names
  const members = ['ridge: shared, mean/deviation', 'trees: ridge below', 'perceptron: quantiles'].map(
    (name) => ({ graph: graphs.get(name) as Graph, weight: 1 / 3, columns }),
  )
  graphs.set('average of all columns', averageGraph(members, columns))
  graphs.set('average of some columns', averageGraph(members, [...columns, 'another'].toReversed()))
  const wide = members.filter(({ graph }) => graph.outputs.length === 2)
  graphs.set('average with quantiles', averageGraph(wide, columns, true))
  graphs.set('epoch', epochGraph(problem, 32, { ...adamDefaults, weightDecay: 0.1, gradientNormMax: 1 }))
  graphs.set('loss', lossGraph(problem))
}, 120_000)

describe('ONNX’s full check', () => {
  test('passes a model of every learner in every form, averages of them, and what trains them', async (context) => {
    context.skip(isCheckerMissing, howToGetChecker)
    expect(await complaintsAbout(graphs)).toEqual({})
    const names = [...graphs.keys()]
    for (const { name } of present) expect(names.filter((one) => one.startsWith(`${name}: `))).not.toEqual([])
    const operators = [...graphs.values()].flatMap(({ nodes }) => nodes.map(({ operator }) => operator))
    expect(operators).toEqual(
      expect.arrayContaining(['ai.onnx.ml.TreeEnsembleRegressor', 'TopK', 'Softplus', 'Gather', 'Loop']),
    )
  })

  test('has passed a recurrent model too', (context) => {
    context.skip(isCheckerMissing, howToGetChecker)
    context.skip(
      present.length < learners.length,
      'TensorFlow.js is not installed: it is an optional dependency',
    )
    const operators = graphs.get('recurrent: on ridge')?.nodes.map(({ operator }) => operator)
    expect(operators).toContain('GRU')
  })

  test('refuses a wrong shape, a wrong type, an unknown operator, attribute or input, and values in disorder', async (context) => {
    context.skip(isCheckerMissing, howToGetChecker)
    const broken = (
      make: (features: Value, graph: ReturnType<typeof createGraphBuilder>) => Value,
    ): Graph => {
      const graph = createGraphBuilder('broken')
      return graph.build([make(graph.input('features', 'float32', ['batch', 3]), graph)])
    }
    const output = { name: 'forecast', type: 'float32', shape: ['batch', 3] } as const
    const whole = broken((features, graph) =>
      add(graph, add(graph, features, features), features, 'forecast'),
    )
    const wrong = new Map<string, Graph>([
      ['shape', broken((x, graph) => graph.node('Relu', [x], { ...output, shape: ['batch', 4] }))],
      ['rank', broken((x, graph) => graph.node('Relu', [x], { ...output, shape: ['batch'] }))],
      ['type', broken((x, graph) => graph.node('Relu', [x], { ...output, type: 'float64' }))],
      ['operator', broken((x, graph) => graph.node('Rely', [x], output))],
      ['attribute', broken((x, graph) => graph.node('Relu', [x], output, { slope: 1 }))],
      // Since operator set 13 the axes of a sum are an input.
      ['version', broken((x, graph) => graph.node('ReduceSum', [x], output, { axes: [1] }))],
      ['input', { ...whole, inputs: [] }],
      ['order', { ...whole, nodes: whole.nodes.toReversed() }],
    ])
    const complaints = await complaintsAbout(new Map([...wrong, ['whole', whole]]))
    expect(Object.keys(complaints)).toEqual([...wrong.keys()])
    expect(complaints['shape']).toContain('differ in dimension 1')
    expect(complaints['operator']).toContain('Rely')
  })
})
