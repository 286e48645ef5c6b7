import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { Failure } from '@imlma/protocol/result'
import { createApp } from './routes.http.ts'
import { createTestApp, fixtureNow } from './testing/call.http.ts'
import { createControlFixture } from './testing/control-fixture.ts'
import { createPeopleFixture } from './testing/people-fixture.ts'
import { fakeSha256 } from './testing/random.ts'
import {
  agentViewSchema,
  alertViewSchema,
  auditEventViewSchema,
  chainViewSchema,
  comparisonViewSchema,
  datasetViewSchema,
  forecastsViewSchema,
  healthViewSchema,
  lineageViewSchema,
  modelViewSchema,
  rolloutViewSchema,
  roundViewSchema,
  versionViewSchema,
} from './views.ts'

const model = 'load-day-ahead'
const envelope = (signatures: number) => ({
  payloadType: 'application/vnd.imlma.root+json',
  payload: 'e30=',
  signatures: Array.from({ length: signatures }, (_, index) => ({ keyid: `k${index}`, sig: 'AAAA' })),
})

describe('reading', () => {
  const { read, get } = createTestApp()

  test('health says how many agents are online and where the registry is', async () => {
    const health = await read(healthViewSchema, 'health')
    expect(health).toMatchObject({ status: 'ok', site: 'demo', agentsOnline: 2, agentsKnown: 3 })
    expect(health.seq).toBeGreaterThan(30)
  })

  test('agents are shown with presence, version, pin, latency and backlog', async () => {
    const agents = await read(z.array(agentViewSchema), 'agents')
    expect(agents.map(({ agent, presence }) => `${agent} ${presence}`)).toEqual([
      'gw-1 online',
      'gw-2 online',
      'gw-3 offline',
    ])
    expect(agents[2]).toMatchObject({
      backlog: { readings: 62_400 },
      models: [{ version: 4, pinned: true, live: { runs: 5_786, figures: { rows: 1_920 } } }],
    })
    expect(agents[2]?.models[0]?.live?.drift[0]?.input).toBe('lag 96')
  })

  test('a model says how far its trigger is', async () => {
    const [listed] = await read(z.array(modelViewSchema), 'models')
    expect(listed).toMatchObject({
      model,
      champion: { version: 6 },
      trigger: { readings: 27_840, threshold: 40_000 },
    })
    expect(await read(modelViewSchema, `models/${model}`)).toEqual(listed)
  })

  test('versions come oldest first with the gate’s record and who serves them', async () => {
    const versions = await read(z.array(versionViewSchema), `models/${model}/versions`)
    expect(versions.map(({ version, state }) => `${version} ${state}`)).toEqual([
      '1 promoted',
      '2 promoted',
      '3 rejected',
      '4 promoted',
      '5 inconclusive',
      '6 promoted',
    ])
    expect(versions.filter(({ champion }) => champion).map(({ version }) => version)).toEqual([6])
    expect(versions[5]).toMatchObject({ servedBy: ['gw-1', 'gw-2'], figures: { mse: 0.0388, rows: 40_320 } })
    expect(await read(versionViewSchema, `models/${model}/versions/6`)).toEqual(versions[5])
  })

  test('a comparison of two that the gate judged together is on their common rows', async () => {
    const comparison = await read(comparisonViewSchema, `models/${model}/compare?a=6&b=4`)
    expect(comparison.sameWindow).toMatchObject({ rows: 40_320, decidedFor: 6 })
    const [mse] = comparison.lines
    // Version 4 on the rows that version 6 was judged by, not on its own older ones.
    expect(mse).toMatchObject({ name: 'MSE', basis: 'gate', a: 0.0388, b: 0.0426, better: 'a' })
  })

  test('a comparison of two that never met says so and names no better one', async () => {
    const comparison = await read(comparisonViewSchema, `models/${model}/compare?a=1&b=6`)
    expect(comparison.sameWindow).toBeNull()
    expect(comparison.lines.filter(({ basis }) => basis === 'gate').map(({ better }) => better)).toEqual([
      null,
      null,
      null,
    ])
  })

  test('lineage leads back to the first version and names what made this one', async () => {
    const lineage = await read(lineageViewSchema, `models/${model}/versions/6/lineage`)
    expect(lineage.ancestors.map(({ version }) => version)).toEqual([6, 4, 2, 1])
    expect(lineage.steps.map(({ step }) => step).slice(0, 5)).toEqual([
      'trigger',
      'dataset',
      'training',
      'decision',
      'signature',
    ])
    expect(lineage.steps[1]?.sha256).toBe(fakeSha256('dataset 6'))
    expect((await read(lineageViewSchema, `models/${model}/versions/4/lineage`)).children).toEqual([5, 6])
  })

  test('forecasts can be asked for one meter', async () => {
    const { samples, meters, unit } = await read(
      forecastsViewSchema,
      `models/${model}/forecasts?meter=meter-02`,
    )
    expect(unit).toBe('kWh')
    expect(meters).toHaveLength(6)
    expect(new Set(samples.map(({ meter }) => meter))).toEqual(new Set(['meter-02']))
  })

  test('studies are an empty list as long as nothing is tuned', async () => {
    expect(await (await get(`/api/v1/models/${model}/studies`)).json()).toEqual([])
  })

  test('triggers tell each round: what started it, what came of it, how long it took', async () => {
    const rounds = await read(z.array(roundViewSchema), 'triggers?limit=2')
    expect(rounds.map(({ run, verdict }) => `${run} ${verdict}`)).toEqual([
      'run-6 promote',
      'run-5 inconclusive',
    ])
    expect(rounds[0]).toMatchObject({
      state: 'completed',
      trigger: { kind: 'volume' },
      champion: { version: 4, mse: 0.0426, rows: 40_320 },
      delayMs: { total: 6_900 },
    })
  })

  test('rollouts say where a version was refused', async () => {
    const rollouts = await read(z.array(rolloutViewSchema), 'rollouts')
    expect(rollouts.map(({ version, state }) => `${version} ${state}`)).toEqual([
      '6 complete',
      '4 superseded',
      '2 complete',
      '1 complete',
    ])
    expect(rollouts[1]?.agents[2]).toMatchObject({
      agent: 'gw-3',
      state: 'refused',
      reason: 'DIGEST_MISMATCH',
    })
  })

  test('alerts and audit events are told in sentences', async () => {
    const [alert] = await read(z.array(alertViewSchema), 'alerts')
    expect(alert?.sentence).toBe(
      'Alert from gw-3, load-day-ahead version 4: the artifact does not have the signed SHA-256 (code DIGEST_MISMATCH, kept version 2).',
    )
    const events = await read(z.array(auditEventViewSchema), 'audit?limit=500')
    expect(events[0]?.seq).toBe(events.length)
    expect(events.map(({ sentence }) => sentence)).toContainEqual(
      expect.stringMatching(
        /^The gate promotes load-day-ahead version 6 over version 4: MSE 0.0388 against 0.0426, MAE .* R² .* on 40,320 forecasts\.$/,
      ),
    )
    for (const { sentence } of events) expect(sentence).toMatch(/^[A-Zlg].*[.]$/)
  })

  test('the chain, a dataset and an artifact can be asked for', async () => {
    expect(await read(chainViewSchema, 'audit/verify')).toMatchObject({ intact: true })
    expect(await read(datasetViewSchema, `datasets/${fakeSha256('dataset 6')}`)).toMatchObject({ series: 60 })
    const artifact = await get(`/api/v1/artifacts/${fakeSha256('artifact 6')}`)
    expect(artifact.headers.get('content-type')).toBe('application/octet-stream')
    expect(await artifact.text()).toBe('not really a model')
    expect(artifact.headers.get('content-length')).toBe('18')
  })

  test('a site where nothing has happened answers with empty lists', async () => {
    const empty = createTestApp({}, { empty: true })
    for (const path of ['agents', 'triggers', 'rollouts', 'alerts', 'audit', `models/${model}/versions`]) {
      expect(await (await empty.get(`/api/v1/${path}`)).json()).toEqual([])
    }
  })
})

describe('refusing', () => {
  const { get, post } = createTestApp()

  test.each([
    ['models/nope/versions', 404, 'UNKNOWN_MODEL', /load-day-ahead/],
    ['models/nope/studies', 404, 'UNKNOWN_MODEL', /load-day-ahead/],
    ['models/nope/forecasts', 404, 'UNKNOWN_MODEL', /load-day-ahead/],
    [`models/${model}/versions/7`, 404, 'UNKNOWN_VERSION', /1 to 6/],
    [`models/${model}/versions/7/lineage`, 404, 'UNKNOWN_VERSION', /./],
    [`models/${model}/versions/0`, 400, 'MALFORMED', /openapi/],
    [`models/${model}/versions/1e3`, 400, 'MALFORMED', /openapi/],
    [`models/${model}/compare?a=1`, 400, 'MALFORMED', /openapi/],
    [`models/${model}/compare?a=1&b=9`, 404, 'UNKNOWN_VERSION', /1 to 6/],
    ['models/no%2Fname/versions', 400, 'MALFORMED', /openapi/],
    ['audit?limit=0', 400, 'MALFORMED', /openapi/],
    ['audit?limit=5001', 400, 'MALFORMED', /openapi/],
    ['datasets/abc', 400, 'MALFORMED', /openapi/],
    [`datasets/${'0'.repeat(64)}`, 404, 'UNKNOWN_DATASET', /./],
    [`artifacts/${'0'.repeat(64)}`, 404, 'UNKNOWN_ARTIFACT', undefined],
    ['nothing/here', 404, 'UNKNOWN_PATH', /openapi/],
    ['events?after=x', 400, 'MALFORMED', /openapi/],
  ])('%s is a problem %i %s', async (path, status, code, hint) => {
    const response = await get(`/api/v1/${path}`)
    expect(response.status).toBe(status)
    expect(response.headers.get('content-type')).toBe('application/problem+json')
    const problem = (await response.json()) as Record<string, unknown>
    expect(problem).toMatchObject({ status, code, type: `urn:imlma:problem:${code}` })
    if (hint !== undefined) expect(problem['hint']).toMatch(hint)
  })

  test('a body that is no JSON, has no reason or is too large', async () => {
    const path = `/api/v1/models/${model}/retrain`
    expect((await post(path, '{')).status).toBe(400)
    expect((await post(path, { reason: ' ' })).status).toBe(400)
    expect((await post(path, {})).status).toBe(400)
    const large = await post(path, { reason: 'x'.repeat(600_000) })
    expect([large.status, ((await large.json()) as { code: string }).code]).toEqual([413, 'TOO_LARGE'])
    expect((await post('/api/v1/models/nope/retrain', { reason: 'x' })).status).toBe(404)
  })

  test('what breaks inside is told with code and hint, and never with a stack', async () => {
    const control = createControlFixture({ now: fixtureNow })
    const errors: unknown[] = []
    const broken = createApp(
      {
        control: {
          ...control,
          agents: async () => {
            throw new Failure('DATABASE_BUSY', 'registry.db is locked', { retryable: true, hint: 'wait' })
          },
          models: async () => {
            throw new TypeError('secret detail')
          },
        },
        assets: { importMapHash: '', find: async () => undefined },
        people: createPeopleFixture(),
        now: () => fixtureNow,
        onError: (error) => errors.push(error),
      },
      { version: '0.1.0', loopbackOnly: false },
    )
    const headers = { authorization: 'Bearer operate' }
    const busy = await broken.request('/api/v1/agents', { headers })
    expect(busy.status).toBe(503)
    expect(await busy.json()).toMatchObject({ code: 'DATABASE_BUSY', hint: 'wait' })
    const internal = await broken.request('/api/v1/models', { headers })
    expect(internal.status).toBe(500)
    expect(await internal.text()).not.toContain('secret')
    expect(errors).toHaveLength(2)
  })
})

describe('asking', () => {
  test('retraining is handed on with its reason and who asked, and refused while one runs', async () => {
    const { post, control } = createTestApp()
    const accepted = await post(`/api/v1/models/${model}/retrain`, { reason: 'new feeder' })
    expect([accepted.status, await accepted.json()]).toEqual([202, { run: 'run-7' }])
    expect(control.asked).toEqual([`retrain ${model}: new feeder (local operator)`])
    const again = await post(`/api/v1/models/${model}/retrain`, { reason: 'again' })
    expect([again.status, ((await again.json()) as { code: string }).code]).toEqual([409, 'BUSY'])
  })

  test('a trust root is believed for its signatures, whoever brings it', async () => {
    const { post } = createTestApp()
    expect((await post('/api/v1/trust/roots', envelope(2))).status).toBe(202)
    const refused = await post('/api/v1/trust/roots', envelope(1))
    expect([refused.status, ((await refused.json()) as { code: string }).code]).toEqual([
      403,
      'BAD_SIGNATURE',
    ])
    expect((await post('/api/v1/trust/roots', { payload: 'e30=' })).status).toBe(400)
  })
})

describe('the OpenAPI document', () => {
  test('lists every route with operationId, description and its problems', async () => {
    const { app, get } = createTestApp()
    const document = (await (await get('/api/openapi.json')).json()) as {
      openapi: string
      paths: Record<string, Record<string, { operationId?: string; description?: string; responses: object }>>
      components: { schemas: object }
    }
    expect(document.openapi).toBe('3.1.0')
    const documented = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method.toUpperCase()} ${path.replaceAll(/\{(\w+)\}/g, ':$1')}`),
    )
    const served = app.routes
      .filter(({ method, path }) => path.startsWith('/api/v1') && method !== 'ALL' && !path.includes('*'))
      .map(({ method, path }) => `${method} ${path}`)
    expect(new Set(documented)).toEqual(new Set(served))
    expect(documented.length).toBe(38)
    const operations = Object.values(document.paths).flatMap((methods) => Object.values(methods))
    expect(new Set(operations.map(({ operationId }) => operationId)).size).toBe(operations.length)
    for (const { description } of operations) expect(description).toBeTruthy()
    expect(Object.keys(document.components.schemas)).toEqual(
      expect.arrayContaining(['Agent', 'Model', 'Version', 'Round', 'Problem', 'AuditEvent']),
    )
  })
})

describe('metrics', () => {
  test('are in base units and forget what is gone', async () => {
    const { get } = createTestApp()
    const response = await get('/metrics')
    expect(response.headers.get('content-type')).toMatch(/^text\/plain/)
    const text = await response.text()
    expect(text).toContain('imlma_agent_online{agent="gw-3"} 0')
    expect(text).toContain(
      'imlma_agent_forecast_seconds{agent="gw-1",model="load-day-ahead",quantile="0.99"} 0.000083',
    )
    expect(text).toContain('imlma_model_champion_version{model="load-day-ahead"} 6')
    expect(text).toContain('process_resident_memory_bytes')
  })
})
