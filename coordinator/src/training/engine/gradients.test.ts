import { createRandom } from '../../tuning/random.ts'
import { describe, expect, test } from 'vitest'
import { createGraphBuilder, type Graph, type GraphBuilder, type Value } from '../graph.ts'
import {
  absolute,
  add,
  divide,
  exponential,
  gatherColumns,
  gemm,
  greater,
  logarithm,
  matrixProduct,
  maximum,
  minimum,
  multiply,
  negate,
  select,
  squareRoot,
  subtract,
  tanh,
} from '../operators.ts'
import { complaintsAbout, howToGetChecker, isCheckerMissing } from '../testing/model-checker.ts'
import { activate, activationNames } from './activations.ts'
import { dropout } from './dropout.ts'
import { differentiable, gradientsOf } from './gradients.ts'
import * as layout from './layout-operators.ts'
import { absoluteLoss, huberLoss, pinballLoss, squaredLoss, totalLoss } from './losses.ts'
import { mean, runningSum, standardise, sum } from './reductions.ts'
import { createGraphSessions } from './session.onnx.ts'

type Made = (graph: GraphBuilder, values: readonly Value[]) => Value

interface Case {
  readonly name: string
  /** Of the values that the result depends on. */
  readonly shapes: readonly (readonly number[])[]
  readonly make: Made
  /** Smallest value: logarithms and roots need positive ones. */
  readonly low?: number
  /** ONNX Runtime has these in single precision only. */
  readonly single?: boolean
}

const a = <Result>(values: readonly Result[]): Result => values[0] as Result
const b = <Result>(values: readonly Result[]): Result => values[1] as Result
const whole = (graph: GraphBuilder, ...values: number[]): Value => graph.list('int64', values)

const cases: readonly Case[] = [
  ...Object.entries({ add, subtract, multiply, divide, maximum, minimum }).flatMap(
    ([name, operator]): Case[] =>
      [
        [
          [3, 4],
          [3, 4],
        ],
        [[3, 4], [4]],
        [
          [3, 1],
          [2, 1, 4],
        ],
        [[], [3, 1]],
      ].map((shapes) => ({
        name: `${name} of ${shapes.map((shape) => `[${shape.join()}]`).join(' and ')}`,
        shapes,
        low: name === 'divide' ? 0.5 : -1,
        make: (graph, values) => operator(graph, a(values), b(values)),
      })),
  ),
  {
    name: 'a square',
    shapes: [[3, 4]],
    make: (graph, values) => multiply(graph, a(values), a(values)),
  },
  ...Object.entries({ absolute, negate, exponential, logarithm, squareRoot }).map(
    ([name, operator]): Case => ({
      name,
      shapes: [[3, 4]],
      low: name === 'logarithm' || name === 'squareRoot' ? 0.3 : -1,
      make: (graph, values) => operator(graph, a(values)),
    }),
  ),
  ...activationNames.map((name): Case => ({
    name,
    single: name === 'softplus',
    shapes: [[4, 5]],
    make: (graph, values) =>
      activate(graph, name, multiply(graph, a(values), graph.scalar(a(values).type, 2))),
  })),
  {
    name: 'a choice by comparison',
    shapes: [[3, 4], [4]],
    make: (graph, values) => select(graph, greater(graph, a(values), b(values)), b(values), a(values)),
  },
  ...[false, true].flatMap((transposeA) =>
    [false, true].map((transposeB): Case => ({
      name: `Gemm${transposeA ? ', first transposed' : ''}${transposeB ? ', second transposed' : ''}`,
      shapes: [transposeA ? [4, 3] : [3, 4], transposeB ? [2, 4] : [4, 2], [2]],
      make: (graph, values) => gemm(graph, values as [Value, Value, Value], { transposeA, transposeB }),
    })),
  ),
  {
    name: 'a product of matrices',
    shapes: [
      [3, 4],
      [4, 2],
    ],
    make: (graph, values) => matrixProduct(graph, a(values), b(values)),
  },
  {
    name: 'Gemm without a bias',
    shapes: [
      [3, 4],
      [4, 2],
    ],
    make: (graph, values) => gemm(graph, [a(values), b(values)]),
  },
  {
    name: 'a product of as many stacks',
    shapes: [
      [2, 3, 4],
      [2, 4, 5],
    ],
    make: (graph, values) => matrixProduct(graph, a(values), b(values)),
  },
  {
    name: 'a product of one matrix and stacks',
    shapes: [
      [3, 4],
      [2, 4, 5],
    ],
    make: (graph, values) => matrixProduct(graph, a(values), b(values)),
  },
  {
    name: 'a product of stacks',
    shapes: [
      [5, 3, 4],
      [4, 2],
    ],
    make: (graph, values) => matrixProduct(graph, a(values), b(values)),
  },
  { name: 'the sum of all', shapes: [[3, 4]], make: (graph, values) => sum(graph, a(values)) },
  {
    name: 'a sum over the middle axis',
    shapes: [[3, 4, 2]],
    make: (graph, values) => sum(graph, a(values), { axes: [1] }),
  },
  {
    name: 'a sum that keeps its axis',
    shapes: [[3, 4, 2]],
    make: (graph, values) => sum(graph, a(values), { axes: [0, 2], keep: true }),
  },
  { name: 'the mean of all', shapes: [[3, 4]], make: (graph, values) => mean(graph, a(values)) },
  {
    name: 'a mean over the last axis',
    shapes: [[3, 4, 2]],
    make: (graph, values) => mean(graph, a(values), { axes: [2] }),
  },
  { name: 'a running sum', shapes: [[3, 4]], make: (graph, values) => runningSum(graph, a(values), 1) },
  {
    name: 'a running sum from the end',
    shapes: [[3, 4]],
    make: (graph, values) => runningSum(graph, a(values), 0, true),
  },
  {
    name: 'layer normalisation',
    shapes: [[3, 6]],
    make: (graph, values) => standardise(graph, a(values), [1]),
  },
  {
    name: 'batch normalisation',
    shapes: [[5, 3]],
    make: (graph, values) => standardise(graph, a(values), [0]),
  },
  { name: 'a reshape', shapes: [[3, 4]], make: (graph, values) => layout.reshape(graph, a(values), [2, 6]) },
  { name: 'a new axis', shapes: [[3, 4]], make: (graph, values) => layout.unsqueeze(graph, a(values), [1]) },
  {
    name: 'a transposition',
    shapes: [[3, 4, 2]],
    make: (graph, values) => layout.transpose(graph, a(values), [2, 0, 1]),
  },
  {
    name: 'a concatenation',
    shapes: [
      [3, 4],
      [3, 2],
    ],
    make: (graph, values) => layout.concat(graph, [...values, a(values)], 1),
  },
  { name: 'a slice', shapes: [[3, 5]], make: (graph, values) => layout.slice(graph, a(values), 1, 1, 4) },
  { name: 'padding', shapes: [[3, 5]], make: (graph, values) => layout.padZeros(graph, a(values), 0, 2, 1) },
  {
    name: 'a part of a split',
    shapes: [[3, 6]],
    make: (graph, values) => {
      const [first, , third] = layout.split(graph, a(values), 1, [2, 3, 1])
      return multiply(graph, first as Value, third as Value)
    },
  },
  {
    name: 'rows picked, one of them twice',
    shapes: [[4, 3]],
    make: (graph, values) => layout.gather(graph, a(values), whole(graph, 2, 0, 2), 0),
  },
  {
    name: 'columns picked',
    shapes: [[4, 3]],
    make: (graph, values) => gatherColumns(graph, a(values), whole(graph, 1, 1)),
  },
  {
    name: 'one entry picked',
    shapes: [[4, 3, 2]],
    make: (graph, values) => layout.gather(graph, a(values), graph.scalar('int64', 1), 1),
  },
  {
    name: 'repetition',
    shapes: [
      [3, 1],
      [3, 4],
    ],
    make: (graph, values) => layout.expandLike(graph, a(values), b(values)),
  },
  {
    name: 'what only has another name',
    shapes: [[3, 4]],
    make: (graph, values) => graph.node('Identity', [a(values)], { type: a(values).type, shape: [3, 4] }),
  },
  {
    name: 'a step: none of its own',
    shapes: [[3, 4]],
    make: (graph, values) =>
      multiply(
        graph,
        a(values),
        graph.node('Sign', [a(values)], { type: a(values).type, shape: a(values).shape }),
      ),
  },
  {
    name: 'what is divided by its own sizes: none of theirs',
    shapes: [[3, 2]],
    make: (graph, values) => {
      const asNumbers = (operator: string, shape: readonly number[]): Value =>
        layout.cast(graph, graph.node(operator, [a(values)], { type: 'int64', shape }), a(values).type)
      return divide(graph, divide(graph, a(values), asNumbers('Shape', [2])), asNumbers('Size', []))
    },
  },
  {
    name: 'what was in double precision on its way',
    shapes: [[3, 4]],
    single: true,
    make: (graph, values) =>
      layout.cast(graph, tanh(graph, layout.cast(graph, a(values), 'float64')), 'float32'),
  },
  {
    name: 'squared loss',
    shapes: [
      [3, 4],
      [3, 4],
    ],
    make: (graph, values) => squaredLoss(graph, a(values), b(values)),
  },
  {
    name: 'absolute loss',
    shapes: [
      [3, 4],
      [3, 4],
    ],
    make: (graph, values) => absoluteLoss(graph, a(values), b(values)),
  },
  {
    name: 'Huber loss',
    shapes: [
      [3, 4],
      [3, 4],
    ],
    make: (graph, values) => huberLoss(graph, a(values), b(values), 0.4),
  },
  {
    name: 'pinball loss',
    shapes: [
      [3, 2, 4],
      [3, 1, 4],
    ],
    make: (graph, values) => pinballLoss(graph, a(values), b(values), [0.1, 0.7]),
  },
  {
    name: 'the sum of losses',
    shapes: [
      [3, 4],
      [3, 4],
    ],
    make: (graph, values) =>
      totalLoss(graph, [squaredLoss(graph, a(values), b(values)), absoluteLoss(graph, a(values), b(values))]),
  },
]

const sizeOf = (shape: readonly number[]): number => shape.reduce((product, size) => product * size, 1)

const valuesFor = ({ shapes, low = -1 }: Case): readonly Float64Array[] => {
  const random = createRandom(7)
  return shapes.map((shape) =>
    Float64Array.from({ length: sizeOf(shape) }, () => low + random.uniform() * (1.2 - low)),
  )
}

/** The operators that were part of a checked loss. */
const seen = new Set<string>()
/** Forwards and back, by the name of the case. */
const built = new Map<string, Graph>()

/** Largest difference between the gradient's nodes and central differences, relative to the largest gradient. */
const errorOf = async (one: Case): Promise<number> => {
  const type = one.single === true ? 'float32' : 'float64'
  const graph = createGraphBuilder('check')
  const inputs = one.shapes.map((shape, i) => graph.input(`x${i}`, type, shape))
  const result = one.make(graph, inputs)
  const shape = result.shape as readonly number[]
  const random = createRandom(3)
  const weights = graph.constant(
    'w',
    type,
    shape,
    Float64Array.from({ length: sizeOf(shape) }, () => 0.5 + random.uniform()),
  )
  const loss = sum(graph, multiply(graph, result, weights))
  for (const { operator } of graph.nodes) seen.add(operator)
  const gradients = gradientsOf(graph, loss, inputs)
  gradients.forEach((gradient, i) => expect(gradient.shape).toEqual(one.shapes[i]))
  built.set(one.name, graph.build([loss, ...gradients]))
  const session = await createGraphSessions().open(built.get(one.name) as Graph)
  const toTensor = type === 'float32' ? Float32Array : Float64Array
  const run = (values: readonly Float64Array[]) =>
    session.run(
      Object.fromEntries(
        values.map((list, i) => [`x${i}`, { shape: one.shapes[i] ?? [], values: new toTensor(list) }]),
      ),
    )
  const values = valuesFor(one)
  const results = await run(values)
  let [worst, largest] = [0, 1e-3]
  const step = type === 'float32' ? 1e-2 : 1e-6
  for (const [i, list] of values.entries()) {
    for (let j = 0; j < list.length; j++) {
      const moved = async (by: number): Promise<number> =>
        Number(
          (await run(values.map((all, k) => (k === i ? all.with(j, (all[j] as number) + by) : all))))[
            loss.name
          ]?.[0],
        )
      const expected = ((await moved(step)) - (await moved(-step))) / (2 * step)
      const actual = Number(results[(gradients[i] as Value).name]?.[j])
      worst = Math.max(worst, Math.abs(actual - expected))
      largest = Math.max(largest, Math.abs(expected))
    }
  }
  await session.close()
  return worst / largest
}

describe('the gradient of', () => {
  test.each(cases)('$name is that of central differences', async (one) => {
    // Half the digits of the type are left after a difference: the third root of its precision is the best step.
    expect(await errorOf(one)).toBeLessThan(one.single === true ? 2e-3 : 1e-7)
  })

  test('dropout is what was kept, scaled', async () => {
    const graph = createGraphBuilder('dropout')
    const x = graph.input('x', 'float32', [50, 40])
    const kept = dropout(graph, x, 0.25, 1)
    const [gradient] = gradientsOf(graph, sum(graph, kept), [x]) as [Value]
    const session = await createGraphSessions().open(graph.build([kept, gradient]))
    const results = await session.run({ x: { shape: [50, 40], values: new Float32Array(2_000).fill(3) } })
    await session.close()
    const [forward, back] = [results[kept.name], results[gradient.name]] as [Float32Array, Float32Array]
    expect(new Set(back)).toEqual(new Set([0, Math.fround(4 / 3)]))
    expect(forward.every((value, i) => Math.abs(value - 3 * (back[i] as number)) < 1e-6)).toBe(true)
    expect(back.filter((value) => value === 0).length / 2_000).toBeCloseTo(0.25, 1)
  })

  test('a batch of a size that is known when it runs is right too', async () => {
    const graph = createGraphBuilder('open')
    const x = graph.input('x', 'float64', ['batch', 3])
    const w = graph.input('w', 'float64', [3, 2])
    const columns = gatherColumns(graph, x, whole(graph, 0, 2))
    const product = matrixProduct(graph, x, w)
    const bias = graph.list('float64', [0.3, -0.4])
    const biased = gemm(graph, [columns, graph.constant('turn', 'float64', [2, 2], [0, 1, -1, 0]), bias])
    const loss = mean(graph, multiply(graph, tanh(graph, product), biased))
    const [byX, byW, byBias] = gradientsOf(graph, loss, [x, w, bias]) as [Value, Value, Value]
    const session = await createGraphSessions().open(graph.build([loss, byX, byW, byBias]))
    const values = Float64Array.of(0.1, 0.5, -0.3, 0.8, -0.6, 0.2)
    const weights = Float64Array.of(0.3, -0.2, 0.5, 0.1, -0.4, 0.7)
    const run = (rows: Float64Array) =>
      session.run({ x: { shape: [2, 3], values: rows }, w: { shape: [3, 2], values: weights } })
    const gradient = (await run(values))[byX.name] as Float64Array
    for (let i = 0; i < values.length; i++) {
      const [up, down] = [1e-6, -1e-6].map((by) => run(values.with(i, (values[i] as number) + by)))
      const difference = Number((await up)?.[loss.name]?.[0]) - Number((await down)?.[loss.name]?.[0])
      expect(gradient[i]).toBeCloseTo(difference / 2e-6, 7)
    }
    await session.close()
  })

  test('every operator with a rule has been checked', () => {
    // Dropout draws anew at every run, so that differences say nothing: it has a test of its own.
    expect(differentiable.filter((name) => !seen.has(name))).toEqual(['Dropout'])
  })

  test('all of it passes ONNX’s full check, forwards and back', async (context) => {
    context.skip(isCheckerMissing, howToGetChecker)
    expect(built.size).toBe(cases.length)
    expect(await complaintsAbout(built)).toEqual({})
  })

  test('a value that the loss does not see is zero, and an operator without a rule is refused', () => {
    const graph = createGraphBuilder('refusals')
    const x = graph.input('x', 'float32', [2])
    const unseen = graph.input('unseen', 'float32', [3])
    expect(gradientsOf(graph, sum(graph, x), [unseen])[0]?.shape).toEqual([3])
    const floor = graph.node('Floor', [x], { type: 'float32', shape: [2] })
    expect(() => gradientsOf(graph, sum(graph, floor), [x])).toThrow('Floor has a gradient rule')
    expect(() => gradientsOf(graph, x, [x])).toThrow('one number')
  })
})

test('shapes that do not fit are refused while a graph is built', () => {
  const graph = createGraphBuilder('wrong')
  const x = graph.input('x', 'float32', ['batch', 6])
  const y = graph.input('y', 'float32', [4, 6])
  expect(() => layout.reshape(graph, x, ['batch', 7])).toThrow('as many values')
  expect(layout.reshape(graph, x, ['batch', 2, 3]).shape).toEqual(['batch', 2, 3])
  expect(() => layout.concat(graph, [x, y], 1)).toThrow('differ along its axis')
  expect(() => layout.concat(graph, [x, x], 0)).toThrow('are known')
  expect(() => layout.slice(graph, x, 1, 2, 7)).toThrow('2 … 7')
  expect(() => layout.slice(graph, x, 0, 0, 1)).toThrow('axis 0')
  expect(() => layout.split(graph, y, 1, [2, 3])).toThrow('all of it')
  expect(() => layout.gather(graph, y, y, 0)).toThrow('whole numbers')
  expect(() => layout.transpose(graph, y, [0, 0])).toThrow('every axis once')
  expect(() => sum(graph, y, { axes: [2] })).toThrow('has the axes')
  expect(() => matrixProduct(graph, x, y)).toThrow('inner sizes')
  expect(() => pinballLoss(graph, y, y, [0.5])).toThrow('per probability')
})
