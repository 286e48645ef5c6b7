import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DDSketch } from '@datadog/sketches-js'
import { sql } from 'kysely'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { histogramOf } from '@imlma/protocol/drift'
import { errorSumsOf, metricsOf, noErrors } from '@imlma/protocol/metrics'
import { encodeCbor, encodeJson, type Report, type VersionWindow } from '@imlma/protocol/wire'
import { openDatabase, type RegistryDatabase } from '../storage/database.sqlite.ts'
import type { FleetChange } from './fleet.ts'
import { createFleetStore } from './fleet-store.kysely.ts'
import { createMergedLatency } from './latency-merge.sketches.ts'
import { createLiveFleet, type FleetChannel, type LiveFleet } from './live-fleet.ts'

const sketchOf = (durationsS: readonly number[]): Uint8Array => {
  const sketch = new DDSketch({ relativeAccuracy: 0.01 })
  for (const duration of durationsS) sketch.accept(duration)
  return sketch.toProto()
}

const edges = [1, 2, 3]
const windowOf = (changes: Partial<VersionWindow> = {}): VersionWindow => ({
  model: 'load',
  version: 2,
  runs: 10,
  failures: 1,
  latencySketch: null,
  latencyMs: null,
  errors: noErrors,
  baseline: noErrors,
  inputs: {},
  residuals: null,
  samples: [],
  ...changes,
})
const reportOf = (windowEnd: number, versions: readonly VersionWindow[]): Report => ({
  v: 1,
  bootId: 'boot-1',
  windowStart: windowEnd - 60_000,
  windowEnd,
  versions: [...versions],
  process: { residentBytes: 80e6, uptimeS: 60, reconnects: 0 },
})
const presence = (state: 'online' | 'offline') => ({
  v: 1,
  state,
  bootId: 'boot-1',
  agentVersion: '0.1.0',
  capabilities: ['onnx'],
  at: 1_000,
})
const reported = {
  v: 1,
  bootId: 'boot-1',
  agentVersion: '0.1.0',
  at: 1_000,
  desiredCounter: 1,
  rootVersion: 1,
  backlog: { batches: 0, bytes: 0, readings: 0, dropped: 0, oldestAt: null },
  models: {},
}
const alarm = (id: string) => ({
  v: 1,
  id,
  model: 'load',
  version: 2,
  kind: 'latency',
  level: 'watch',
  value: 80,
  limit: 50,
  evidence: { runs: 200 },
  at: 1_000,
})

describe('the fleet', () => {
  let folder: string
  let db: RegistryDatabase
  let fleet: LiveFleet
  let changes: FleetChange[]
  const reference = {
    load: histogramOf(
      Array.from({ length: 400 }, (_, i) => i % 4),
      edges,
    ),
  }

  const open = async (options = {}) => {
    db = openDatabase(join(folder, 'registry.db'))
    fleet = await createLiveFleet(
      {
        store: createFleetStore(db),
        newLatency: createMergedLatency,
        referenceOf: (model, version) => (model === 'load' && version === 2 ? reference : undefined),
        onListenerError: () => undefined,
      },
      options,
    )
    changes = []
    fleet.subscribe((change) => changes.push(change))
  }
  const restart = async () => {
    await fleet.flush()
    await db.destroy()
    await open()
  }
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'imlma-fleet-'))
    await open()
  })
  afterEach(async () => {
    await db.destroy()
    await rm(folder, { recursive: true, force: true })
  })

  const receive = (
    channel: FleetChannel,
    payload: unknown,
    options: { agent?: string; retained?: boolean; now?: number } = {},
  ) => {
    const { agent = 'gw-1', retained = false, now = 5_000 } = options
    const bytes =
      payload instanceof Uint8Array
        ? payload
        : channel === 'report'
          ? encodeCbor(payload)
          : encodeJson(payload)
    fleet.receive(channel, { site: 'demo', agent, payload: bytes, retained }, now)
  }

  test('knows an agent by what it says and tells those who listen', () => {
    receive('presence', presence('online'), { now: 5_000 })
    receive('reported', reported, { now: 6_000 })
    receive('report', reportOf(60_000, [windowOf()]), { now: 7_000 })
    expect(fleet.agent('demo', 'gw-1')).toMatchObject({
      presence: { state: 'online' },
      heardAt: 7_000,
      reported: { desiredCounter: 1 },
      process: { residentBytes: 80e6 },
      windows: { 'load@2': { runs: 10 } },
    })
    expect(changes.map(({ kind }) => kind)).toEqual(['presence', 'reported', 'report'])
    expect(fleet.agent('other', 'gw-1')).toBeUndefined()
  })

  test('takes a retained message and a last will as news, and not as a sign of life', () => {
    receive('presence', presence('online'), { now: 5_000 })
    receive('reported', reported, { now: 6_000, retained: true })
    receive('presence', presence('offline'), { now: 7_000 })
    expect(fleet.agent('demo', 'gw-1')).toMatchObject({ heardAt: 5_000, presence: { state: 'offline' } })
    receive('presence', new Uint8Array(0))
    expect(fleet.refusals()).toEqual({})
  })

  test('merges latencies of agents exactly as one sketch over all of them', () => {
    const [fast, slow] = [
      Array.from({ length: 900 }, (_, i) => 0.001 + i * 1e-6),
      Array.from({ length: 100 }, (_, i) => 0.9 + i * 2e-3),
    ]
    receive('report', reportOf(60_000, [windowOf({ latencySketch: sketchOf(fast) })]))
    receive('report', reportOf(60_000, [windowOf({ latencySketch: sketchOf(slow) })]), { agent: 'gw-2' })
    const all = new DDSketch({ relativeAccuracy: 0.01 })
    for (const duration of [...fast, ...slow]) all.accept(duration)
    const [live] = fleet.performance('load')
    for (const [name, quantile] of [
      ['p50', 0.5],
      ['p95', 0.95],
      ['p99', 0.99],
    ] as const) {
      expect(live?.latencyMs?.[name]).toBeCloseTo(all.getValueAtQuantile(quantile) * 1_000, 9)
    }
    expect(live).toMatchObject({ runs: 20, failures: 2 })
  })

  test('merges errors to the same figures as over all pairs at once', () => {
    const actuals = Array.from({ length: 200 }, (_, i) => 5_000 + 900 * Math.sin(i))
    const forecasts = actuals.map((actual, i) => actual + 10 * Math.cos(i))
    receive(
      'report',
      reportOf(60_000, [windowOf({ errors: errorSumsOf(forecasts.slice(0, 70), actuals.slice(0, 70)) })]),
    )
    receive(
      'report',
      reportOf(120_000, [windowOf({ errors: errorSumsOf(forecasts.slice(70), actuals.slice(70)) })]),
    )
    const merged = metricsOf(fleet.performance('load')[0]?.errors ?? noErrors)
    const whole = metricsOf(errorSumsOf(forecasts, actuals))
    expect(merged.count).toBe(200)
    expect(merged.mse).toBeCloseTo(whole.mse ?? Number.NaN, 8)
    expect(merged.r2).toBeCloseTo(whole.r2 ?? Number.NaN, 10)
  })

  test('says PSI of the merged inputs with its sample size, and unknown without a reference', () => {
    const inputs = (values: readonly number[]) => {
      const histogram = histogramOf(values, edges)
      const plain = { edges: [...histogram.edges], counts: [...histogram.counts] }
      return { load: { histogram: plain, rows: values.length, psi: null, verdict: 'too-few' as const } }
    }
    const shifted = Array.from({ length: 80 }, () => 3)
    receive('report', reportOf(60_000, [windowOf({ inputs: inputs(shifted) })]))
    expect(fleet.performance('load')[0]?.psi['load']).toMatchObject({
      rows: 80,
      psi: null,
      verdict: 'too-few',
    })
    receive('report', reportOf(60_000, [windowOf({ inputs: inputs(shifted) })]), { agent: 'gw-2' })
    expect(fleet.performance('load')[0]?.psi['load']).toMatchObject({ rows: 160, verdict: 'act' })
    receive('report', reportOf(120_000, [windowOf({ version: 3, inputs: inputs(shifted) })]))
    expect(fleet.performance('load')[1]?.psi['load']).toEqual({ psi: null, rows: 80, verdict: 'unknown' })
  })

  test('adds up how many actuals lay in their range, over agents and restarts, and of versions that have one', async () => {
    const covered = (inside: number, count: number) => windowOf({ coverage: { inside, count } })
    receive('report', reportOf(60_000, [covered(8, 10), windowOf({ version: 3 })]))
    receive('report', reportOf(60_000, [covered(3, 5)]), { agent: 'gw-2' })
    await restart()
    receive('report', reportOf(120_000, [windowOf()]))
    receive('report', reportOf(180_000, [covered(1, 1)]))
    const [ranged, plain] = fleet.performance('load')
    expect(ranged?.coverage).toEqual({ inside: 12, count: 16 })
    expect(plain?.coverage).toBeUndefined()
    receive('report', reportOf(240_000, [covered(2, 1)]))
    expect(fleet.performance('load')[0]?.coverage).toEqual({ inside: 12, count: 16 })
  })

  test('counts a report that comes twice once, also after a restart', async () => {
    const report = reportOf(60_000, [windowOf()])
    receive('report', report)
    receive('report', report)
    await restart()
    receive('report', report)
    receive('report', reportOf(120_000, [windowOf()]))
    expect(fleet.performance('load')[0]?.runs).toBe(20)
  })

  test('remembers agents and performance over a restart, and calls nobody online before hearing of it', async () => {
    receive('presence', presence('online'))
    receive('reported', reported)
    receive('report', reportOf(60_000, [windowOf({ latencySketch: sketchOf([0.01, 0.02, 1]) })]))
    const before = fleet.performance('load')
    await restart()
    expect(fleet.performance('load')).toEqual(before)
    expect(fleet.agent('demo', 'gw-1')).toMatchObject({
      presence: { state: 'offline' },
      reported: { desiredCounter: 1 },
      heardAt: 5_000,
    })
    receive('presence', presence('online'), { retained: true })
    expect(fleet.agents().map((agent) => agent.presence?.state)).toEqual(['online'])
  })

  test('writes only what changed, and tries again what could not be written', async () => {
    receive('presence', presence('online'))
    receive('report', reportOf(60_000, [windowOf()]))
    await sql`alter table "fleetAgents" rename to "away"`.execute(db)
    await expect(fleet.flush()).rejects.toThrow('fleetAgents')
    await sql`alter table "away" rename to "fleetAgents"`.execute(db)
    await fleet.flush()
    const stored = async () => ({
      agents: (await db.selectFrom('fleetAgents').select('agent').execute()).length,
      performance: (await db.selectFrom('fleetPerformance').select('version').execute()).length,
    })
    expect(await stored()).toEqual({ agents: 1, performance: 1 })
    await db.deleteFrom('fleetAgents').execute()
    await fleet.flush()
    expect(await stored()).toEqual({ agents: 0, performance: 1 })
  })

  test('starts without a record that it cannot read', async () => {
    receive('presence', presence('online'))
    receive('presence', presence('online'), { agent: 'gw-2' })
    await fleet.flush()
    await db
      .updateTable('fleetAgents')
      .set({ record: Buffer.from('broken') })
      .where('agent', '=', 'gw-1')
      .execute()
    await restart()
    expect(fleet.agents().map(({ agent }) => agent)).toEqual(['gw-2'])
  })

  test('tells of an alarm once and keeps the latest first', () => {
    for (const id of ['a', 'a', 'b', 'c']) receive('alarm', alarm(id))
    receive('alarm', alarm('a'), { agent: 'gw-2' })
    expect(fleet.alarms(2).map(({ id, agent }) => [id, agent])).toEqual([
      ['a', 'gw-2'],
      ['c', 'gw-1'],
    ])
    expect(changes.filter(({ kind }) => kind === 'alarm')).toHaveLength(4)
  })

  test('keeps the latest samples of a meter in order, a bounded number', async () => {
    await db.destroy()
    await open({ samplesPerMeterMax: 3, sampledMetersMax: 2 })
    const sample = (meter: string, at: number) => ({ meter, at, forecast: at, actual: at + 1, step: 1 })
    receive('report', reportOf(60_000, [windowOf({ samples: [1, 2, 4].map((at) => sample('m-1', at)) })]))
    receive('report', reportOf(120_000, [windowOf({ samples: [5, 3].map((at) => sample('m-1', at)) })]))
    expect(fleet.samples('load', 'm-1').map(({ at }) => at)).toEqual([3, 4, 5])
    expect(fleet.samples('load', 'm-1')[0]).toEqual({
      agent: 'gw-1',
      model: 'load',
      version: 2,
      meter: 'm-1',
      at: 3,
      step: 1,
      forecast: 3,
      actual: 4,
    })
    receive('report', reportOf(180_000, [windowOf({ samples: [sample('m-2', 1), sample('m-3', 2)] })]))
    expect(fleet.samples('load').map(({ meter }) => meter)).toEqual(['m-2', 'm-3'])
    expect(fleet.samples('other')).toEqual([])
    expect(fleet.agent('demo', 'gw-1')?.windows['load@2']?.samples).toEqual([])
  })

  test.each<[string, FleetChannel, unknown, string]>([
    ['no JSON', 'presence', new TextEncoder().encode('{'), 'MALFORMED'],
    ['another version', 'presence', { ...presence('online'), v: 2 }, 'UNSUPPORTED_VERSION'],
    ['another state', 'presence', { ...presence('online'), state: 'sleeping' }, 'MALFORMED'],
    ['too large', 'reported', new Uint8Array(300_000), 'TOO_LARGE'],
    ['no models', 'reported', { ...reported, models: 7 }, 'MALFORMED'],
    ['no CBOR', 'report', new Uint8Array([0xff, 0xff]), 'MALFORMED'],
    ['negative runs', 'report', reportOf(1, [windowOf({ runs: -1 })]), 'MALFORMED'],
    ['another level', 'alarm', { ...alarm('a'), level: 'panic' }, 'MALFORMED'],
  ])('drops a message and counts it: %s', (_, channel, payload, code) => {
    receive(channel, payload)
    receive(channel, payload, { now: 9_000 })
    expect(fleet.agents()).toEqual([])
    expect(fleet.refusals()).toEqual({
      [`${channel} ${code}`]: {
        count: 2,
        latest: { site: 'demo', agent: 'gw-1', channel, code, message: expect.any(String), at: 9_000 },
      },
    })
  })

  test('takes no more agents than the bound', async () => {
    await db.destroy()
    await open({ agentsMax: 2 })
    for (const agent of ['gw-1', 'gw-2', 'gw-3']) receive('presence', presence('online'), { agent })
    expect(fleet.agents()).toHaveLength(2)
    expect(fleet.refusals()['presence TOO_MANY_AGENTS']?.count).toBe(1)
  })

  test.each([
    ['bytes that are no sketch', new Uint8Array([1, 2, 3])],
    [
      'a sketch of another accuracy',
      (() => {
        const sketch = new DDSketch({ relativeAccuracy: 0.05 })
        sketch.accept(1)
        return sketch.toProto()
      })(),
    ],
    ['a negative latency', sketchOf([-1])],
    ['latencies that are none', sketchOf([1e300])],
    ['a sketch that is too large', new Uint8Array(40_000)],
  ])('refuses %s and counts the rest of the window', (_, latencySketch) => {
    receive('report', reportOf(60_000, [windowOf({ latencySketch: sketchOf([0.5]) })]))
    receive('report', reportOf(120_000, [windowOf({ latencySketch })]))
    expect(fleet.refusals()['report BAD_SKETCH']?.count).toBe(1)
    const [live] = fleet.performance('load')
    expect(live?.runs).toBe(20)
    expect(live?.latencyMs?.p99).toBeCloseTo(500, -1)
  })
})
