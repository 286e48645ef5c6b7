import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { describe, expect, test } from 'vitest'
import { accept, Failure, refuse } from '@imlma/protocol/result'
import { createActiveModels } from '../serving/active-models.ts'
import { createBatcher, type Batcher } from '../serving/batcher.ts'
import { createForecasts } from '../serving/forecasts.ts'
import { tinyContract } from '../serving/testing/tiny-contract.ts'
import { createApp, type ApiParts, type App } from './app.http.ts'
import { createMetrics } from './metrics.prom.ts'
import { listen } from './server.http.ts'

const accepting: ApiParts['post'] = () => accept({ stored: 1 })

interface Given {
  readonly active?: boolean
  readonly answer?: (value: number) => number
  readonly store?: ApiParts['post']
  /** With it, the model has quantiles: the forecast and this much more. */
  readonly spread?: number
  /** What the batcher says to one more request. */
  readonly room?: ReturnType<Batcher['admit']>
}

const create = ({
  active = true,
  answer = (value) => value * 2,
  store = accepting,
  spread,
  room,
}: Given = {}) => {
  const models = createActiveModels({ load: () => Promise.reject(new Error('unused')), now: () => 0 })
  if (active) {
    models.activate({
      model: 'load',
      version: 3,
      sha256: 'a'.repeat(64),
      contract: tinyContract({ features: 2, horizon: 2, quantiles: spread === undefined ? [] : [0.1, 0.9] }),
      run: (features, rows, _into, quantilesInto) => {
        const values = features.map(answer)
        for (let i = 0; i < rows; i++) {
          const own = values.subarray(i * 2, i * 2 + 2)
          quantilesInto?.set([...own, ...own.map((value) => value + (spread ?? 0))], i * 4)
        }
        return Promise.resolve(values)
      },
      close: () => Promise.resolve(),
    })
  }
  const forecasts = createForecasts({ now: () => 0 })
  const failures: unknown[] = []
  const figures = {
    residentBytes: 1,
    uptimeS: 2,
    connected: true,
    reconnects: 0,
    backlogReadings: 5,
    backlogBytes: 6,
    droppedReadings: 0,
    droppedByClass: { alarm: 0, recent: 12, old: 3, damaged: 0 },
    forecastRows: 7,
    forecastRowsSkipped: 0,
    forecastFailures: 0,
    models: [{ model: 'load', version: 3, latencyMs: { p50: 1, p95: 2, p99: 3 } }],
    shadows: [{ model: 'load', version: 4, latencyMs: { p50: 4, p95: 5, p99: 6 } }],
    shadowRows: 8,
    shadowRowsLeftOut: 9,
    shadowFailures: 10,
    stoodIn: { model: 11, baseline: 12 },
    workersLost: { hung: 13, memory: 0, crashed: 0 },
    workerRestarts: new Map([['a'.repeat(64), 14]]),
    sources: [],
  }
  const batcher = createBatcher({ models, now: () => 0, defer: (callback) => void setImmediate(callback) })
  const app = createApp(
    {
      models,
      batcher: room === undefined ? batcher : { ...batcher, admit: () => room },
      ready: () => models.models().length > 0,
      agentVersion: '0.1.0',
      forecasts,
      post: store,
      metrics: () => Promise.resolve(createMetrics(() => figures)),
      status: () => ({ name: 'gw-1' }),
      onFailed: (cause) => failures.push(cause),
    },
    { bodyBytesMax: 10_000, postBytesMax: 100 },
  )
  const post = (path: string, body: unknown) =>
    ask(app, path, typeof body === 'string' ? body : JSON.stringify(body))
  return { app, get: (path: string) => ask(app, path), post, forecasts, failures }
}

const ask = async (app: App, url: string, body?: string): Promise<Response> => {
  const method = body === undefined ? 'GET' : 'POST'
  const answer = await app.answer({ method, url, body: new TextEncoder().encode(body) })
  return new Response(answer.body as string, answer)
}

const input = (data: unknown, shape: readonly number[] = [1, 2], rest: object = {}) => ({
  inputs: [{ name: 'features', shape, datatype: 'FP32', data, ...rest }],
})

describe('inference over HTTP', () => {
  test('says what it is, that it lives, and whether it is ready', async () => {
    const { get } = create()
    expect(await (await get('/v2')).json()).toMatchObject({ name: 'imlma-agent', version: '0.1.0' })
    expect((await get('/v2/health/live')).status).toBe(200)
    expect((await get('/v2/health/ready')).status).toBe(200)
    expect((await create({ active: false }).get('/v2/health/ready')).status).toBe(503)
  })

  test.each(['/v2/models/load', '/v2/models/load/versions/3'])('%s describes the model', async (path) => {
    expect(await (await create().get(path)).json()).toEqual({
      name: 'load',
      versions: ['3'],
      platform: 'onnx_onnxruntime',
      inputs: [{ name: 'features', datatype: 'FP32', shape: [-1, 2] }],
      outputs: [{ name: 'forecast', datatype: 'FP32', shape: [-1, 2] }],
    })
  })

  test.each([
    ['flat', [1, 2, 3, 4]],
    [
      'nested',
      [
        [1, 2],
        [3, 4],
      ],
    ],
  ])('answers rows that come %s', async (_, data) => {
    const response = await create().post('/v2/models/load/infer', { id: 'q', ...input(data, [2, 2]) })
    expect(response.status).toBe(200)
    expect(await response.json()).toEqual({
      model_name: 'load',
      model_version: '3',
      parameters: { made_by: 'model', sha256: 'a'.repeat(64) },
      id: 'q',
      outputs: [{ name: 'forecast', shape: [2, 2], datatype: 'FP32', data: [2, 4, 6, 8] }],
    })
  })

  test.each([
    ['no JSON', '/v2/models/load/infer', '{', 400, 'MALFORMED'],
    ['no input', '/v2/models/load/infer', { inputs: [] }, 400, 'MALFORMED'],
    ['another name', '/v2/models/load/infer', input([1, 2], [1, 2], { name: 'x' }), 400, 'MALFORMED'],
    ['another type', '/v2/models/load/infer', input([1, 2], [1, 2], { datatype: 'FP64' }), 400, 'MALFORMED'],
    ['another width', '/v2/models/load/infer', input([1, 2, 3], [1, 3]), 400, 'MALFORMED'],
    ['too few numbers', '/v2/models/load/infer', input([1], [1, 2]), 400, 'MALFORMED'],
    ['ragged rows', '/v2/models/load/infer', input([[1, 2], [3]], [2, 2]), 400, 'MALFORMED'],
    ['a null', '/v2/models/load/infer', input([1, null]), 400, 'MALFORMED'],
    ['more than a float32 holds', '/v2/models/load/infer', input([1, 1e300]), 400, 'MALFORMED'],
    ['text for a number', '/v2/models/load/infer', input([1, '2']), 400, 'MALFORMED'],
    ['an unknown model', '/v2/models/other/infer', input([1, 2]), 404, 'MODEL_NOT_FOUND'],
    ['another version', '/v2/models/load/versions/2/infer', input([1, 2]), 404, 'VERSION_NOT_SERVED'],
    ['too many bytes', '/v2/models/load/infer', 'x'.repeat(10_001), 413, 'TOO_LARGE'],
    ['too many readings', '/readings', 'x'.repeat(101), 413, 'TOO_LARGE'],
    ['an unknown path', '/v3/models', {}, 404, 'NOT_FOUND'],
    ['what is no address', '//', {}, 404, 'NOT_FOUND'],
  ])('refuses %s', async (_, path, body, status, code) => {
    const response = await create().post(path, body)
    expect(response.status).toBe(status)
    expect(response.headers.get('content-type')).toBe('application/problem+json')
    expect(await response.json()).toMatchObject({ status, code })
  })

  test('a forecast that is no number is said to be none', async () => {
    const response = await create({ answer: () => Number.NaN }).post('/v2/models/load/infer', input([1, 2]))
    expect(await response.json()).toMatchObject({ status: 500, code: 'NOT_FINITE' })
  })
})

describe('what else is asked locally', () => {
  test('the latest forecasts, of one model or meter where asked', async () => {
    const { get, forecasts } = create()
    const madeBy = { kind: 'model', version: 3, sha256: 'a'.repeat(64) } as const
    const base = { model: 'load', version: 3, madeBy, origin: 0, intervalMs: 900_000, unit: 'kW' }
    for (const meter of ['a', 'b', 'c']) forecasts.record({ ...base, meter, values: Float32Array.of(1, 2) })
    expect(await (await get('/forecasts?meter=b')).json()).toEqual({
      total: 1,
      forecasts: [{ ...base, meter: 'b', values: [1, 2], ageMs: 0 }],
    })
    expect(await (await get('/forecasts?limit=2')).json()).toMatchObject({ total: 3 })
    expect(await (await get('/forecasts?model=x')).json()).toEqual({ total: 0, forecasts: [] })
  })

  test('figures for Prometheus and the status', async () => {
    const { get } = create()
    const text = await (await get('/metrics')).text()
    expect(text).toContain('imlma_agent_backlog_readings 5')
    expect(text).toContain('imlma_agent_dropped_total{class="old"} 3')
    expect(text).toContain('imlma_agent_run_seconds{model="load",quantile="0.99"} 0.003')
    expect(text).toContain('imlma_agent_served_version{model="load"} 3')
    expect(text).toContain('imlma_agent_shadow_version{model="load"} 4')
    expect(text).toContain('imlma_agent_shadow_run_seconds{model="load",quantile="0.99"} 0.006')
    expect(text).toContain('imlma_agent_shadow_rows_left_out_total 9')
    expect(await (await get('/status')).json()).toEqual({ name: 'gw-1' })
  })

  test('readings are posted, and refused with the reason', async () => {
    const asked: unknown[] = []
    const { post } = create({
      store: (document, { historical }) => {
        asked.push([document, historical])
        return historical ? refuse('OFF_GRID', 'between two intervals') : accept({ stored: 2 })
      },
    })
    const stored = await post('/readings', { meter: 'm' })
    expect([stored.status, await stored.json()]).toEqual([201, { stored: 2 }])
    const refused = await post('/readings?historical=true', '{')
    expect([refused.status, await refused.json()]).toMatchObject([400, { code: 'OFF_GRID' }])
    expect(asked).toEqual([
      [{ meter: 'm' }, false],
      [undefined, true],
    ])
  })

  test('readings come one a line too, and a line that is none does not take the others with it', async () => {
    const asked: unknown[] = []
    const { post } = create({
      store: (document, { isLines, source }) => {
        asked.push([document, isLines, source])
        return accept({ stored: 2, refused: 1 })
      },
    })
    const answered = await post('/readings?source=meters', '{"meter":"m"}\n{"meter"\n\n{"meter":"n"}\n')
    expect([answered.status, await answered.json()]).toEqual([201, { stored: 2, refused: 1 }])
    expect(asked).toEqual([[[{ meter: 'm' }, undefined, { meter: 'n' }], true, 'meters']])
  })

  test('a full disk asks the sender to come again', async () => {
    const store = (): never => {
      throw new Failure('NO_SPACE', 'full', { retryable: true })
    }
    const response = await create({ store }).post('/readings', {})
    expect([response.status, response.headers.get('retry-after')]).toEqual([503, '5'])
  })

  test('what breaks inside is logged and not told', async () => {
    const store = (): never => {
      throw new Error('a secret of the stack')
    }
    const { post, failures } = create({ store })
    const response = await post('/readings', {})
    expect(response.status).toBe(500)
    expect(await response.text()).not.toContain('secret')
    expect(failures.length).toBe(1)
  })
})

describe('server', () => {
  test('listens on a free port and closes with a connection open', async () => {
    const server = await listen(create().app, { host: '127.0.0.1', port: 0 })
    expect((await fetch(`${server.url}/v2/health/live`)).status).toBe(200)
    await server.close()
    await expect(fetch(`${server.url}/v2/health/live`)).rejects.toThrow('fetch failed')
  })

  test('refuses a body that is too long without reading it all', async () => {
    const server = await listen(create().app, { host: '127.0.0.1', port: 0 })
    const body = 'x'.repeat(5_000_000)
    const refused = await fetch(`${server.url}/v2/models/load/infer`, { method: 'POST', body }).catch(
      () => undefined,
    )
    // The connection is closed on whoever goes on sending; most clients still see the answer.
    if (refused !== undefined) expect(refused.status).toBe(413)
    expect((await fetch(`${server.url}/v2/health/live`)).status).toBe(200)
    await server.close()
  })

  test('names the option that changes a port that is taken', async () => {
    const other = createServer()
    await new Promise<void>((resolve) => void other.listen(0, '127.0.0.1', resolve))
    const { port } = other.address() as AddressInfo
    const refused = listen(create().app, { host: '127.0.0.1', port })
    await expect(refused).rejects.toMatchObject({
      code: 'PORT_TAKEN',
      hint: expect.stringContaining('--port'),
    })
    other.close()
  })
})

describe('quantiles over HTTP', () => {
  const path = '/v2/models/load/infer'
  interface Named {
    readonly name: string
    readonly shape: readonly number[]
    readonly data: readonly number[]
  }
  const outputsOf = async (response: Response): Promise<readonly Named[]> =>
    ((await response.json()) as { outputs: Named[] }).outputs

  test('are an output of the model like the forecast', async () => {
    const { get } = create({ spread: 1 })
    const { outputs } = (await (await get('/v2/models/load')).json()) as { outputs: Named[] }
    expect(outputs.map(({ name, shape }) => [name, shape])).toEqual([
      ['forecast', [-1, 2]],
      ['quantiles', [-1, 2, 2]],
    ])
  })

  test('come with the forecast unless a request says what it wants', async () => {
    const { post } = create({ spread: 1 })
    const rows = input([1, 2, 3, 4], [2, 2])
    expect(await outputsOf(await post(path, rows))).toMatchObject([
      { name: 'forecast', shape: [2, 2], data: [2, 4, 6, 8] },
      { name: 'quantiles', shape: [2, 2, 2], data: [2, 4, 3, 5, 6, 8, 7, 9] },
    ])
    const wanting = async (name: string) =>
      (await outputsOf(await post(path, { ...rows, outputs: [{ name }] }))).map((output) => output.name)
    expect(await wanting('forecast')).toEqual(['forecast'])
    expect(await wanting('quantiles')).toEqual(['quantiles'])
  })

  test('that a model does not have are refused by name', async () => {
    const { post } = create()
    const refused = await post(path, { ...input([1, 2]), outputs: [{ name: 'quantiles' }] })
    expect(refused.status).toBe(400)
    expect(await refused.json()).toMatchObject({ code: 'MALFORMED' })
    expect((await post(path, { ...input([1, 2]), outputs: [] })).status).toBe(400)
  })

  test('that are no numbers are left out, and refused where they were asked for', async () => {
    const { post } = create({ spread: Infinity })
    expect(await outputsOf(await post(path, input([1, 2])))).toMatchObject([
      { name: 'forecast', data: [2, 4] },
    ])
    const refused = await post(path, { ...input([1, 2]), outputs: [{ name: 'quantiles' }] })
    expect(await refused.json()).toMatchObject({ code: 'NOT_FINITE' })
  })

  test('of the latest forecasts have the names that people know them by', async () => {
    const { get, forecasts } = create()
    forecasts.record({
      model: 'load',
      version: 3,
      madeBy: { kind: 'baseline', version: 0 },
      meter: 'a',
      origin: 0,
      intervalMs: 900_000,
      unit: 'kW',
      values: Float32Array.of(2, 3),
      quantiles: { probabilities: [0.1, 0.5, 0.9], values: Float32Array.of(1, 2, 2, 3, 4, 5) },
    })
    expect(await (await get('/forecasts')).json()).toMatchObject({
      forecasts: [{ version: 3, values: [2, 3], quantiles: { p10: [1, 2], p50: [2, 3], p90: [4, 5] } }],
    })
  })
})

describe('binary tensors', () => {
  const path = '/v2/models/load/infer'
  const floats = (...values: number[]) => new Uint8Array(Float32Array.from(values).buffer)
  const sendBinary = async (
    { app }: ReturnType<typeof create>,
    document: unknown,
    bytes: Uint8Array,
    headerLength?: string,
  ) => {
    const header = new TextEncoder().encode(JSON.stringify(document))
    const body = new Uint8Array([...header, ...bytes])
    return app.answer({
      method: 'POST',
      url: path,
      body,
      headerLength: headerLength ?? String(header.length),
    })
  }
  const binaryInput = (bytes: number, shape = [1, 2], rest: object = {}) => ({
    inputs: [{ name: 'features', shape, datatype: 'FP32', parameters: { binary_data_size: bytes } }],
    ...rest,
  })
  const parse = (text: string | Uint8Array): unknown =>
    JSON.parse(typeof text === 'string' ? text : new TextDecoder().decode(text))

  test('are read behind the document, and answered as text where nothing else is wanted', async () => {
    const answer = await sendBinary(create(), binaryInput(8), floats(1, 2))
    expect([answer.status, answer.headers['content-type']]).toEqual([200, 'application/json'])
    expect(parse(answer.body)).toMatchObject({ outputs: [{ data: [2, 4] }] })
  })

  test.each([
    ['of an output', { outputs: [{ name: 'forecast', parameters: { binary_data: true } }] }],
    ['of all outputs', { parameters: { binary_data_output: true } }],
  ])('%s follow the document in the answer', async (_, wanted) => {
    const answer = await sendBinary(create(), binaryInput(16, [2, 2], wanted), floats(1, 2, 3, 4))
    const length = Number(answer.headers['inference-header-content-length'])
    const body = answer.body as Uint8Array
    expect(answer.headers['content-type']).toBe('application/octet-stream')
    expect(parse(body.subarray(0, length))).toMatchObject({
      outputs: [{ name: 'forecast', shape: [2, 2], datatype: 'FP32', parameters: { binary_data_size: 16 } }],
    })
    expect([...new Float32Array(body.slice(length).buffer)]).toEqual([2, 4, 6, 8])
  })

  test('an output may be text where the others are bytes', async () => {
    const wanted = {
      parameters: { binary_data_output: true },
      outputs: [{ name: 'forecast', parameters: { binary_data: false } }, { name: 'quantiles' }],
    }
    const answer = await sendBinary(create({ spread: 1 }), binaryInput(8, [1, 2], wanted), floats(1, 2))
    const body = answer.body as Uint8Array
    const length = Number(answer.headers['inference-header-content-length'])
    expect(parse(body.subarray(0, length))).toMatchObject({
      outputs: [{ data: [2, 4] }, { name: 'quantiles', parameters: { binary_data_size: 16 } }],
    })
    expect([...new Float32Array(body.slice(length).buffer)]).toEqual([2, 4, 3, 5])
  })

  test.each([
    ['a length beyond the body', binaryInput(8), floats(1, 2), '9999'],
    ['a length that is none', binaryInput(8), floats(1, 2), 'all'],
    ['a size that is not what follows', binaryInput(4), floats(1, 2), undefined],
    ['too few bytes for the shape', binaryInput(4), floats(1), undefined],
    ['bytes that belong to no tensor', input([1, 2]), floats(1), undefined],
    ['what is no number', binaryInput(8), floats(1, Number.NaN), undefined],
    [
      'numbers in two places',
      input([1, 2], [1, 2], { parameters: { binary_data_size: 8 } }),
      floats(1, 2),
      undefined,
    ],
  ])('are refused with %s', async (_, document, bytes, headerLength) => {
    const answer = await sendBinary(create(), document, bytes, headerLength)
    expect(answer.status).toBe(400)
    expect(parse(answer.body)).toMatchObject({ code: 'MALFORMED', error: expect.any(String) })
  })

  test('pass through a server as they are', async () => {
    const server = await listen(create().app, { host: '127.0.0.1', port: 0 })
    const wanted = binaryInput(8, [1, 2], { parameters: { binary_data_output: true } })
    const header = new TextEncoder().encode(JSON.stringify(wanted))
    const response = await fetch(`${server.url}${path}`, {
      method: 'POST',
      headers: { 'Inference-Header-Content-Length': String(header.length) },
      body: new Uint8Array([...header, ...floats(1, 2)]),
    })
    const bytes = new Uint8Array(await response.arrayBuffer())
    const length = Number(response.headers.get('inference-header-content-length'))
    expect([...new Float32Array(bytes.slice(length).buffer)]).toEqual([2, 4])
    await server.close()
  })
})

test('a full queue answers 429, says when to come again, and reads nothing', async () => {
  const { app, post } = create({ room: refuse('OVERLOADED', 'many are waiting', 'ask again later') })
  const response = await post('/v2/models/load/infer', '{')
  expect([response.status, response.headers.get('retry-after')]).toEqual([429, '1'])
  expect(await response.json()).toMatchObject({ code: 'OVERLOADED', hint: 'ask again later' })
  expect((await ask(app, '/v2/health/live')).status).toBe(200)
})
