import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createGraphBuilder } from './graph.ts'
import { encodeModel } from './model.protobuf.ts'
import {
  absolute,
  add,
  broadcastShape,
  divide,
  gatherColumns,
  gemm,
  maximum,
  multiply,
  subtract,
} from './operators.ts'
import { createMatrixProducts } from './products.onnx.ts'
import { openForecastSession } from './session.onnx.ts'

let folder = ''
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'imlma-graph-'))
})
afterAll(() => rm(folder, { recursive: true }))

/** One graph with every operator, and what it should compute. */
const everyOperator = () => {
  const graph = createGraphBuilder('every_operator')
  const features = graph.input('features', 'float32', ['batch', 3])
  const last = gatherColumns(graph, features, graph.constant('last', 'int64', [1], [2]))
  const row = graph.constant('row', 'float32', [3], [1, 2, 4])
  const spread = maximum(graph, absolute(graph, last), graph.constant('least', 'float32', [1], [0.5]))
  const scaled = divide(graph, multiply(graph, subtract(graph, features, last), row), spread)
  const weights = graph.constant('weights', 'float32', [3, 2], [1, 0, 0, 1, 1, 1])
  const product = gemm(graph, [scaled, weights, graph.constant('bias', 'float32', [2], [10, 20])])
  return graph.build([add(graph, product, last, 'forecast')])
}

describe('a graph', () => {
  test('runs in ONNX Runtime as it was built', async () => {
    const path = join(folder, 'every.onnx')
    await writeFile(path, encodeModel(everyOperator(), { learner: 'none' }))
    const session = await openForecastSession(path)
    // (x − x₃) · row / max(|x₃|, ½), times the weights, plus bias, plus x₃
    expect([...(await session.run(Float32Array.of(3, 5, -2, 1, 1, 0), 2))]).toEqual([
      5 / 2 + 10 - 2,
      14 / 2 + 20 - 2,
      2 + 10,
      4 + 20,
    ])
    await session.close()
  })

  test('has the same bytes every time', () => {
    expect(encodeModel(everyOperator())).toEqual(encodeModel(everyOperator()))
  })

  test('refuses shapes that do not fit while it is built', () => {
    const graph = createGraphBuilder('wrong')
    const a = graph.input('a', 'float32', ['batch', 3])
    const b = graph.input('b', 'float32', ['batch', 4])
    const c = graph.input('c', 'float64', ['batch', 3])
    expect(() => add(graph, a, b)).toThrow('broadcast')
    expect(() => add(graph, a, c)).toThrow('one type')
    expect(() => gemm(graph, [a, b])).toThrow('inner sizes')
    expect(() => graph.constant('d', 'float32', [2], [1])).toThrow('as many values')
    expect(() => graph.input('a', 'float32', [1])).toThrow('one value named a')
    expect(() => add(graph, a, { name: 'stranger', type: 'float32', shape: [3] })).toThrow('of this graph')
    expect(broadcastShape(['batch', 1], [3])).toEqual(['batch', 3])
  })

  test('that is no model is refused with a code', async () => {
    const path = join(folder, 'none.onnx')
    await writeFile(path, 'no model')
    await expect(openForecastSession(path)).rejects.toMatchObject({ code: 'LOAD_FAILED' })
  })
})

test('matrix products are those of the definition', async () => {
  const products = await createMatrixProducts()
  const product = await products.transposedProduct(
    Float64Array.of(1, 2, 3, 4),
    Float64Array.of(5, 6, 7, 8, 9, 10),
    2,
  )
  // [[1, 3], [2, 4]] · [[5, 6, 7], [8, 9, 10]]
  expect([...product]).toEqual([29, 33, 37, 42, 48, 54])
})
