import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sha256 } from '@imlma/protocol/node'
import { utc } from '@imlma/protocol/series'
import protobuf from 'protobufjs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { freezeSnapshot } from '../../datasets/snapshot.fs.ts'
import { createGraphBuilder, type GraphBuilder, type Value } from '../graph.ts'
import type { ExaminationJob } from '../job.ts'
import { encodeModel } from '../model.protobuf.ts'
import { add, divide, gemm, multiply, subtract } from '../operators.ts'
import { createExaminer } from '../trainer.fork.ts'
import { checkModelFile } from './check-model-file.ts'
import { runExaminationJob } from './examine-job.onnx.ts'
import { runInspectionJob } from './inspect.onnx.ts'
import { parseModelFile } from './model-file.protobuf.ts'

const hourMs = 3_600_000
const start = Date.UTC(2024, 0, 1)
const end = start + 30 * 24 * hourMs
const horizon = 3
/** Two columns: the last value and the mean of the last two. */
const features: ExaminationJob['features'] = {
  v: 1,
  intervalMs: hourMs,
  horizon,
  seasonSteps: 24,
  missingMax: 0,
  zone: [...utc],
  holidays: [],
  shared: [
    { kind: 'lags', lags: [1] },
    { kind: 'statistics', over: 2, of: ['mean'] },
  ],
  step: [],
}

let folder = ''
let dataset: { path: string; sha256: string }
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'imlma-foreign-'))
  const values = Float32Array.from({ length: 720 }, (_, i) => (i % 24 === 0 ? 0 : 5 + Math.sin(i / 4)))
  dataset = await freezeSnapshot(
    { folder },
    {
      v: 1,
      model: 'load',
      site: 'north',
      covariates: [],
      provenance: [],
      series: [{ meter: 'm-1', register: 'load', intervalMs: hourMs, start, values }],
      window: { start, end },
      trainEnd: end - 48 * hourMs,
      evaluation: { start: end - 45 * hourMs, end },
    },
  )
})
afterAll(() => rm(folder, { recursive: true }))

interface Wishes {
  readonly input?: string
  readonly output?: string
  readonly batch?: string | number
  readonly columns?: number
  readonly horizon?: number
}

/** A model of one product, after which something else may still happen. */
const modelOf = (
  change: (graph: GraphBuilder, forecast: Value, features: Value) => Value = (_, forecast) => forecast,
  wishes: Wishes = {},
): Uint8Array => {
  const { input = 'X', output = 'variable', batch = 'N', columns = 2, horizon: steps = horizon } = wishes
  const graph = createGraphBuilder('elsewhere')
  const x = graph.input(input, 'float32', [batch, columns])
  const weights = graph.constant(
    'weights',
    'float32',
    [columns, steps],
    new Float32Array(columns * steps).fill(0.5),
  )
  const product = change(graph, gemm(graph, [x, weights]), x)
  const zero = graph.constant('zero', 'float32', [1], [0])
  return encodeModel(graph.build([add(graph, product, zero, output)]))
}

const write = async (bytes: Uint8Array): Promise<{ path: string; sha256: string }> => {
  const digest = sha256(bytes)
  const path = join(folder, digest)
  await writeFile(path, bytes)
  return { path, sha256: digest }
}

const inspect = async (bytes: Uint8Array, names: { input?: string; output?: string } = {}) =>
  runInspectionJob({
    path: (await write(bytes)).path,
    features,
    input: names.input,
    output: names.output,
  })

const examine = async (bytes: Uint8Array, more: Partial<ExaminationJob> = {}) =>
  runExaminationJob(
    {
      ...(await write(bytes)),
      dataset,
      features,
      input: undefined,
      output: undefined,
      task: { register: 'load', intervalMs: hourMs, horizon, zone: utc, holidays: [] },
      latencyMsBudget: 50,
      trainedUntil: start,
      provenance: { framework: 'by hand' },
      ...more,
    },
    { onProgress: () => undefined },
  )

const refused = (code: string) => ({ code, hint: expect.any(String) as string })

/** A message field of protobuf, as bytes: what no exporter of ours writes. */
const field = (id: number, content: Uint8Array | string | number): Uint8Array => {
  const writer = protobuf.Writer.create()
  if (typeof content === 'number')
    return writer
      .uint32(id << 3)
      .int32(content)
      .finish()
  const bytes = typeof content === 'string' ? new TextEncoder().encode(content) : content
  return writer
    .uint32((id << 3) | 2)
    .bytes(bytes)
    .finish()
}
const joined = (...parts: readonly Uint8Array[]): Uint8Array => Buffer.concat(parts)
/** A second piece of the graph: the runtime's reader joins it to the first. */
const withGraphPart = (part: Uint8Array): Uint8Array => joined(modelOf(), field(7, part))

describe('a file from elsewhere', () => {
  test('with names of its own is accepted, and its tensors are named', async () => {
    await expect(inspect(modelOf())).resolves.toEqual({ input: 'X', output: 'variable' })
    await expect(inspect(modelOf(), { input: 'X', output: 'variable' })).resolves.toBeDefined()
  })

  test.each([
    ['nothing', () => new Uint8Array()],
    ['text', () => new TextEncoder().encode('{"weights": [1, 2, 3]}')],
    ['noise', () => Uint8Array.from({ length: 4_096 }, (_, i) => (i * 73 + 41) % 256)],
    ['half a model', () => modelOf().subarray(0, 150)],
    ['a message without a graph', () => field(1, 8)],
    ['a pickle', () => Uint8Array.of(0x80, 0x04, 0x95, 0x10, 0x00, 0x00, 0x00)],
  ])('that is %s is no model', async (_, bytes) => {
    await expect(inspect(bytes())).rejects.toMatchObject(refused('NOT_ONNX'))
  })

  test('keeps its weights inside: a path to other files is not followed', async () => {
    const location = joined(field(1, 'location'), field(2, '../../../etc/passwd'))
    const weights = joined(field(8, 'secret'), field(13, location), field(14, 1))
    for (const part of [
      field(5, weights),
      field(15, field(1, weights)),
      field(1, joined(field(4, 'Constant'), field(5, field(5, weights)))),
      field(1, joined(field(4, 'If'), field(5, field(6, field(5, weights))))),
      field(1, joined(field(4, 'Constant'), field(5, field(22, field(2, weights))))),
    ]) {
      await expect(inspect(withGraphPart(part))).rejects.toMatchObject(refused('EXTERNAL_DATA'))
    }
  })

  test('uses no operators that a gateway does not have, also not inside of a branch', async () => {
    const strange = joined(field(4, 'Attention'), field(7, 'com.microsoft'))
    const inBranch = joined(field(4, 'If'), field(5, field(6, field(1, strange))))
    for (const node of [strange, inBranch]) {
      await expect(inspect(withGraphPart(field(1, node)))).rejects.toMatchObject({
        ...refused('UNSUPPORTED_OPERATOR'),
        message: expect.stringContaining('com.microsoft.Attention') as string,
      })
    }
    await expect(inspect(joined(modelOf(), field(25, field(1, 'mine'))))).rejects.toMatchObject(
      refused('UNSUPPORTED_OPERATOR'),
    )
  })

  test('is as large and as deep as a forecast needs at the most', () => {
    const parsed = parseModelFile(modelOf())
    if (!parsed.ok) throw new Error(parsed.refusal.message)
    const file = parsed.value
    expect(file).toMatchObject({ nodes: 2, initializers: 2, depth: 1, functions: 0, external: [] })
    expect([...file.operators]).toEqual([
      ['Gemm', 1],
      ['Add', 1],
    ])
    const bounds = { nodesMax: 2, initializersMax: 2, depthMax: 1 }
    expect(checkModelFile(file, bounds).ok).toBe(true)
    for (const over of [{ nodes: 3 }, { initializers: 3 }, { depth: 2 }]) {
      expect(checkModelFile({ ...file, ...over }, bounds)).toMatchObject({ refusal: refused('TOO_LARGE') })
    }
  })

  test('with thousands of graphs in each other is refused and crashes nothing', async () => {
    let graph = field(1, field(4, 'Identity'))
    for (let level = 0; level < 3_000; level++)
      graph = field(1, joined(field(4, 'If'), field(5, field(6, graph))))
    await expect(inspect(withGraphPart(graph))).rejects.toMatchObject({
      code: expect.stringMatching(/^(?:TOO_LARGE|NOT_ONNX)$/) as string,
    })
  })

  test('that the runtime does not load is refused without the paths of this machine', async () => {
    const unknown = withGraphPart(field(1, joined(field(4, 'NoSuchOperator'), field(2, 'nowhere'))))
    const failure = await inspect(unknown).catch((error: unknown) => error)
    expect(failure).toMatchObject(refused('LOAD_FAILED'))
    expect((failure as Error).message).not.toContain(folder)
  })

  test.each([
    ['another input', {}, { input: 'features' }],
    ['another output', {}, { output: 'forecast' }],
    ['more columns', { columns: 5 }, {}],
    ['a longer horizon', { horizon: 4 }, {}],
    ['a fixed batch', { batch: 1 }, {}],
  ] satisfies [string, Wishes, { input?: string; output?: string }][])(
    'with %s than the contract says is refused',
    async (_, wishes, names) => {
      await expect(inspect(modelOf(undefined, wishes), names)).rejects.toMatchObject(
        refused('CONTRACT_MISMATCH'),
      )
    },
  )
})

describe('an examination', () => {
  test('leaves the record that a training leaves, from the file’s own outputs', async () => {
    const outcome = await examine(modelOf())
    expect(outcome).toMatchObject({
      learner: 'external',
      parameters: { framework: 'by hand' },
      parity: 0,
      trainEnd: start,
    })
    expect(outcome.golden).toHaveLength(8)
    for (const { input, output } of outcome.golden) {
      const sum = 0.5 * ((input[0] as number) + (input[1] as number))
      expect([...output]).toEqual([sum, sum, sum].map((value) => expect.closeTo(value, 4) as number))
    }
    expect(outcome.rows.train).toBeGreaterThan(400)
    expect(outcome.reference.residuals.rows).toBe(outcome.rows.validation * horizon)
    expect(outcome.metrics.validation.mse).toBeGreaterThan(0)
  })

  test('finds rows that are mixed with their neighbours', async () => {
    const centred = modelOf((graph, forecast) => {
      const mean = graph.node(
        'ReduceMean',
        [forecast],
        { type: 'float32', shape: [1, horizon] },
        { axes: [0] },
      )
      return subtract(graph, forecast, mean)
    })
    await expect(examine(centred)).rejects.toMatchObject(refused('BATCH_DEPENDENT'))
  })

  test('finds noise', async () => {
    const noisy = modelOf((graph, forecast) => {
      const noise = graph.node('RandomNormalLike', [forecast], { type: 'float32', shape: forecast.shape })
      return add(graph, forecast, noise)
    })
    await expect(examine(noisy)).rejects.toMatchObject(refused('NOT_DETERMINISTIC'))
  })

  test('finds what is no number for some readings only', async () => {
    const divided = modelOf((graph, forecast, x) => {
      const last = graph.node(
        'Gather',
        [x, graph.constant('first', 'int64', [1], [0])],
        { type: 'float32', shape: ['N', 1] },
        { axis: 1 },
      )
      return divide(graph, forecast, last)
    })
    await expect(examine(divided)).rejects.toMatchObject(refused('NOT_FINITE'))
  })

  test('finds a batch that is fixed where the graph reshapes', async () => {
    const reshaped = modelOf((graph, forecast) => {
      const shape = graph.constant('shape', 'int64', [2], [1, horizon])
      return graph.node('Reshape', [forecast, shape], { type: 'float32', shape: ['N', horizon] })
    })
    const failure = await examine(reshaped).catch((error: unknown) => error)
    expect((failure as { code: string }).code).toMatch(/^(?:RUN_FAILED|CONTRACT_MISMATCH)$/)
  })

  test('finds a file that is too slow for a gateway', async () => {
    const slow = modelOf((graph, forecast) => {
      const size = 1_500
      const large = graph.constant('large', 'float32', [size, size], new Float32Array(size * size).fill(1e-4))
      const widen = graph.constant(
        'widen',
        'float32',
        [horizon, size],
        new Float32Array(horizon * size).fill(1e-3),
      )
      const narrow = graph.constant(
        'narrow',
        'float32',
        [size, horizon],
        new Float32Array(horizon * size).fill(1e-3),
      )
      let wide = gemm(graph, [forecast, widen])
      for (let layer = 0; layer < 3; layer++) wide = gemm(graph, [wide, large])
      return multiply(graph, gemm(graph, [wide, narrow]), forecast)
    })
    await expect(examine(slow, { latencyMsBudget: 0.01 })).rejects.toMatchObject(refused('LATENCY'))
    await expect(examine(modelOf(), { latencyMsBudget: 50 })).resolves.toBeDefined()
  })

  test('refuses a model that has seen what it would be judged on', async () => {
    const evaluationStart = end - 45 * hourMs
    await expect(examine(modelOf(), { trainedUntil: evaluationStart + 1 })).rejects.toMatchObject(
      refused('OVERLAP'),
    )
    await expect(examine(modelOf(), { trainedUntil: evaluationStart })).resolves.toMatchObject({
      trainEnd: evaluationStart,
    })
  })

  test('refuses features that the dataset cannot fill, and a file that is not the one that was sent', async () => {
    const covariate = { kind: 'covariate' as const, name: 'temperature', knots: [], lag: 0, averageSteps: 1 }
    const told = { ...features, shared: [...features.shared.slice(0, 1), covariate] }
    await expect(examine(modelOf(), { features: told })).rejects.toMatchObject(refused('UNKNOWN_COVARIATE'))
    await expect(examine(modelOf(), { sha256: '0'.repeat(64) })).rejects.toMatchObject(
      refused('ARTIFACT_CHANGED'),
    )
  })
})

describe('an examiner', () => {
  const examiner = createExaminer({ examinationSecondsMax: 30, memoryMbMax: 1_024 })

  test('looks at a file in a process of its own, and hands its refusal back', async () => {
    const job = { features, input: undefined, output: undefined }
    const good = await write(modelOf())
    await expect(examiner.inspect({ ...job, path: good.path })).resolves.toEqual({
      input: 'X',
      output: 'variable',
    })
    const bad = await write(new TextEncoder().encode('no model'))
    await expect(examiner.inspect({ ...job, path: bad.path })).rejects.toMatchObject(refused('NOT_ONNX'))
  })

  test('is not taken along by a file that never answers', async () => {
    const endless = modelOf((graph, forecast) => {
      const body = graph.nested('forever')
      const iteration = body.input('i', 'int64', [])
      const condition = body.input('go', 'bool', [])
      const state = body.input('state', 'float32', ['N', horizon])
      const goOn = body.node('Identity', [condition], { type: 'bool', shape: [] })
      const next = body.node('Cos', [state], { type: 'float32', shape: ['N', horizon] })
      void iteration
      const times = graph.constant('times', 'int64', [], [Number.MAX_SAFE_INTEGER])
      const always = graph.constant('always', 'bool', [], [1])
      return graph.node(
        'Loop',
        [times, always, forecast],
        { type: 'float32', shape: ['N', horizon] },
        { body: { graph: body.build([goOn, next]) } },
      )
    })
    const impatient = createExaminer({ examinationSecondsMax: 3, memoryMbMax: 1_024 })
    const asked = impatient.examine({
      ...(await write(endless)),
      dataset,
      features,
      input: undefined,
      output: undefined,
      task: { register: 'load', intervalMs: hourMs, horizon, zone: utc, holidays: [] },
      latencyMsBudget: 50,
      trainedUntil: start,
      provenance: {},
    })
    await expect(asked).rejects.toMatchObject({ code: 'TIME_LIMIT' })
  })
})
