import { chmod, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { spawnAgent, type SpawnedAgent } from '@imlma/agent/serving/testing/processes'
import { manifestPayloadType, manifestSchema, type Manifest } from '@imlma/protocol/manifest'
import { createSigner, generateKeyPair, sha256 } from '@imlma/protocol/node'
import {
  desiredPayloadType,
  fromBase64,
  openEnvelope,
  sealEnvelope,
  type Desired,
  type Envelope,
  type Signer,
} from '@imlma/protocol/trust'
import { encodeJson, toTopic, type DeploymentReason, type Reported } from '@imlma/protocol/wire'
import { askFor, createAsk } from '../scripts/start/ask.ts'
import { startMiddleman } from './chaos/middleman.net.ts'
import { freePort, startPart, type Part } from './chaos/part.ts'
import { tapBroker, type Wiretap } from './chaos/wiretap.mqtt.ts'

const site = 'demo'
const model = 'load'
/** Far above what the control centre has come to. */
const forgedCounter = 1_000
const hourMs = 3_600_000
const dayMs = 24 * hourMs
const control = new URL('../coordinator/src/control/testing/control.child.ts', import.meta.url)

/** An hourly model whose training starts only when somebody asks, or as soon as there is anything to learn from. */
const definitionOf = (trigger: object) => ({
  name: model,
  quantity: 'active energy',
  unit: 'kWh',
  register: '1-0:1.29.0',
  intervalMs: hourMs,
  horizon: 24,
  trigger: { volume: 1_000_000, intervalMs: 30 * dayMs, readingsMin: 1, coolDownMs: 0, ...trigger },
  data: { evaluationMs: 7 * dayMs },
})

let folder: string
let broker: Part
let brokerUrl: string
let centre: Part
let api: string
const agents = new Map<string, SpawnedAgent>()

const startHouse = async (learning: string, trigger: object): Promise<void> => {
  folder = await mkdtemp(join(tmpdir(), 'imlma-tamper-'))
  await writeFile(join(folder, 'models.json'), JSON.stringify([definitionOf(trigger)]))
  const common = ['--data-dir', folder, '--site', site, '--clock', 'simulated', '--log', 'error']
  broker = startPart(['broker', ...common, '--mqtt-port', '0'])
  brokerUrl = (await broker.up).broker
  const where = ['--port', '0', '--broker', brokerUrl, '--models', join(folder, 'models.json')]
  centre = startPart([learning, ...common, ...where], control)
  api = (await centre.up).api ?? ''
}
const endHouse = async (): Promise<void> => {
  for (const agent of agents.values()) await agent.end('SIGKILL')
  agents.clear()
  await centre.end()
  await broker.end()
  await rm(folder, { recursive: true })
}

const ask = <View>(path: string, body?: object): Promise<View> => askFor(createAsk(api, folder), path, body)
const until = <Value>(condition: () => Value | Promise<Value>) =>
  vi.waitUntil(condition, { timeout: 20_000, interval: 20 })

/** Address of the agent's local API. */
const startAgent = async (name: string, by = brokerUrl, source?: object): Promise<string> => {
  await writeFile(join(folder, `${name}.json`), JSON.stringify({ sources: source ? [source] : [] }))
  const identity = ['--name', name, '--site', site, '--broker', by, '--port', '0', '--log', 'error']
  const files = ['--root', join(folder, 'trust/roots/1.json'), '--config', join(folder, `${name}.json`)]
  const agent = spawnAgent([...identity, ...files, '--data-dir', join(folder, 'agents', name)])
  agents.set(name, agent)
  return agent.up
}
const endAgent = async (name: string): Promise<void> => {
  await agents.get(name)?.end()
  agents.delete(name)
}

const flipByte = async (path: string): Promise<void> => {
  const bytes = await readFile(path)
  const middle = bytes.length >> 1
  bytes[middle] = (bytes[middle] ?? 0) ^ 1
  await chmod(path, 0o644)
  await writeFile(path, bytes)
}

const feed = {
  kind: 'simulated',
  name: 'feed',
  meters: 2,
  intervalMs: hourMs,
  historyDays: 56,
  liveFrom: Date.UTC(2025, 2, 3),
}

interface Round {
  readonly state: string
  readonly failure: { readonly code: string } | null
}

describe('a model that was tampered with never serves', () => {
  let tap: Wiretap
  let director: Signer
  /** What the control centre last promoted. */
  let champion = 0

  beforeAll(async () => {
    await startHouse('prepared', {})
    // A spy who may speak as the control centre, and has the director's key: the worst that is not the release key.
    tap = await tapBroker(brokerUrl, 'coordinator:spy')
    director = await stolen('director')
    await startAgent('gw-feed', brokerUrl, feed)
    await until(
      async () =>
        (await ask<{ trigger: { readingsTotal: number } }>(`models/${model}`)).trigger.readingsTotal > 0,
    )
    await promote()
  }, 60_000)
  afterEach(async () => {
    for (const name of agents.keys()) if (name !== 'gw-feed') await endAgent(name)
  })
  afterAll(async () => {
    await tap.end()
    await endHouse()
  })

  const stolen = async (role: string): Promise<Signer> => {
    const key = JSON.parse(await readFile(join(folder, `trust/keys/${role}.json`), 'utf8')) as {
      secret: string
    }
    return createSigner(fromBase64(key.secret))
  }

  /** One more version, promoted and served by every agent that takes it. */
  const promote = async (): Promise<void> => {
    const before = (await ask<Round[]>('triggers')).length
    await ask(`models/${model}/retrain`, { reason: 'the story goes on' })
    await until(async () => {
      const rounds = await ask<Round[]>('triggers')
      return rounds.length > before && rounds[0]?.state === 'completed'
    })
    champion += 1
  }

  const isServed = (agent: string, version: number): boolean => {
    const said = tap.reports(agent).at(-1)?.models[model]
    return said?.active?.version === version && said.phase === 'idle'
  }

  const manifestOf = (version: number): Manifest => {
    const opened = openEnvelope(tap.manifest(version), {
      payloadType: manifestPayloadType,
      schema: manifestSchema,
    })
    if (!opened.ok) throw new Error(opened.refusal.message)
    return opened.value
  }
  const artifactOf = (version: number): string => {
    const { artifact } = manifestOf(version)
    return join(folder, 'artifacts', artifact.sha256.slice(0, 2), artifact.sha256)
  }

  /** Asks the agent itself, through its local API, for a forecast: the version that gave it; undefined for none. */
  const servedBy = async (url: string): Promise<number | undefined> => {
    const about = await fetch(`${url}/v2/models/${model}`)
    if (!about.ok) return undefined
    const { inputs } = (await about.json()) as { inputs: { shape: number[] }[] }
    const columns = inputs[0]?.shape.at(-1) ?? 0
    const ones = Array.from({ length: columns }, () => 1)
    const features = { name: 'features', shape: [1, columns], datatype: 'FP32', data: ones }
    const body = JSON.stringify({ inputs: [features] })
    const answer = await fetch(`${url}/v2/models/${model}/infer`, { method: 'POST', body })
    const { model_version: version } = (await answer.json()) as { model_version?: string }
    return version === undefined ? undefined : Number(version)
  }

  /**
   * Waits until the agent has said no to this version in `reported` and on `alarm`, and the control centre has heard it;
   * returns why, what the alarm was about, and which version the agent's local API answers with.
   */
  const refusal = async (agent: string, url: string, version: number) => {
    const lastSaid = () => tap.reports(agent).at(-1)?.models[model]
    await until(() => {
      const { outcome = null, phase } = lastSaid() ?? {}
      return phase === 'idle' && outcome?.state === 'refused' && outcome.version === version
    })
    const reason = lastSaid()?.outcome?.reason
    const alarm = await until(() => tap.alarms(agent).find(({ evidence }) => evidence['code'] === reason))
    await until(async () => {
      const alerts = await ask<{ agent: string | null; evidence: { code?: string } }[]>('alerts')
      return alerts.some((alert) => alert.agent === agent && alert.evidence.code === reason)
    })
    expect(alarm).toMatchObject({ level: 'act', kind: reason === 'EXPIRED' ? 'deployment' : 'security' })
    expect(lastSaid()?.active?.version).toBe(await servedBy(url))
    return { reason, alarmOn: alarm.version, served: await servedBy(url) }
  }

  /** A word of the director's that the control centre never gave. */
  const forge = async (to: string, manifest: Envelope, changes: Partial<Desired> = {}, by = director) => {
    const desired: Desired = {
      v: 1,
      site,
      agent: to,
      counter: forgedCounter,
      issuedAt: Date.now(),
      expiresAt: Date.now() + dayMs,
      models: { [model]: { manifest, mode: 'active' } },
      ...changes,
    }
    const sealed = encodeJson(sealEnvelope(desiredPayloadType, desired, [by]))
    await tap.publish(toTopic({ site, agent: to }, 'desired'), sealed)
  }

  /** An agent with the champion, and nothing but the champion, on its disk. */
  const install = async (agent: string, by?: string): Promise<string> => {
    const url = await startAgent(agent, by)
    await until(() => isServed(agent, champion))
    return url
  }

  const unknown = (): Signer => createSigner(generateKeyPair().secretKey)

  /** The champion's manifest, about an artifact and a release that nobody made. */
  const invented = (): Manifest => {
    const genuine = manifestOf(champion)
    const artifact = { ...genuine.artifact, sha256: sha256('invented') }
    return { ...genuine, version: champion + 50, release: genuine.release + 50, artifact }
  }

  test('changed in the store of the control centre: BAD_DIGEST', async () => {
    await install('gw-store')
    await endAgent('gw-store')
    await promote()
    await flipByte(artifactOf(champion))
    const url = await startAgent('gw-store')
    const reason = 'BAD_DIGEST'
    const expected = { reason, alarmOn: champion, served: champion - 1 }
    expect(await refusal('gw-store', url, champion)).toEqual(expected)
    await flipByte(artifactOf(champion))
  }, 60_000)

  test('changed on the way, checksum and all: BAD_DIGEST', async () => {
    const middleman = await startMiddleman(brokerUrl)
    try {
      await install('gw-way', middleman.url)
      await endAgent('gw-way')
      await promote()
      middleman.change(await readFile(artifactOf(champion)))
      const url = await startAgent('gw-way', middleman.url)
      const expected = { reason: 'BAD_DIGEST', alarmOn: champion, served: champion - 1 }
      expect(await refusal('gw-way', url, champion)).toEqual(expected)
      expect(middleman.changed()).toBeGreaterThan(0)
    } finally {
      await endAgent('gw-way')
      await middleman.close()
    }
  }, 60_000)

  const fileOf = async (agent: string, version: number): Promise<string> => {
    const files = await readdir(join(folder, 'agents', agent), { recursive: true })
    const digest = manifestOf(version).artifact.sha256
    return join(folder, 'agents', agent, files.find((name) => name.endsWith(`${digest}.onnx`)) ?? '')
  }

  test('changed on the disk of the agent before a restart: the one before serves until it is mended', async () => {
    await install('gw-disk')
    await promote()
    await until(() => isServed('gw-disk', champion))
    await endAgent('gw-disk')
    const file = await fileOf('gw-disk', champion)
    await flipByte(file)

    // It starts without a broker, so nobody can help it yet.
    const port = await freePort()
    const url = await startAgent('gw-disk', `mqtt://127.0.0.1:${port}`)
    expect(await servedBy(url)).toBe(champion - 1)
    const { models } = (await (await fetch(`${url}/status`)).json()) as Reported
    expect(models[model]).toMatchObject({ phase: 'fetching', active: { version: champion - 1 } })

    const middleman = await startMiddleman(brokerUrl, port)
    const alarm = await until(() => tap.alarms('gw-disk')[0])
    expect(alarm).toMatchObject({
      kind: 'security',
      version: champion,
      evidence: { code: 'DIGEST_MISMATCH' },
    })
    await until(async () => (await servedBy(url)) === champion)
    expect(sha256(await readFile(file))).toBe(manifestOf(champion).artifact.sha256)
    await endAgent('gw-disk')
    await middleman.close()
  }, 60_000)

  test('changed on the disk of an agent that has nothing else: it serves nothing', async () => {
    await install('gw-alone')
    await endAgent('gw-alone')
    await flipByte(await fileOf('gw-alone', champion))
    const url = await startAgent('gw-alone', 'mqtt://127.0.0.1:9')
    expect(await servedBy(url)).toBeUndefined()
    expect((await fetch(`${url}/v2/health/ready`)).status).toBe(503)
  }, 60_000)

  describe('with the key of the director in the wrong hands', () => {
    let url: string
    let agent: string
    let cases = 0
    beforeEach(async () => {
      agent = `gw-forged-${(cases += 1)}`
      url = await install(agent)
    }, 30_000)

    /** What no release key has ever signed. */
    const expectInventionRefused = async (manifest: Envelope, reason: DeploymentReason): Promise<void> => {
      await forge(agent, manifest)
      const { version } = invented()
      expect(await refusal(agent, url, version)).toEqual({ reason, alarmOn: version, served: champion })
    }

    test.each([
      ['signed by an unknown key', 'UNKNOWN_KEY', () => seal(unknown())],
      ['signed by the director himself', 'BAD_SIGNATURE', () => seal(director)],
      ['changed after it was signed', 'BAD_SIGNATURE', () => ({ ...seal(director), signatures: genuine() })],
    ] as const)('a manifest %s: %s', async (_, reason, manifest) => {
      await expectInventionRefused(manifest(), reason)
      expect(tap.reports(agent).at(-1)?.desiredCounter).toBeGreaterThanOrEqual(forgedCounter)
    })
    const seal = (signer: Signer): Envelope => sealEnvelope(manifestPayloadType, invented(), [signer])
    const genuine = () => tap.manifest(champion).signatures

    test('the control centre is not locked out by a counter that it never gave', async () => {
      await expectInventionRefused(seal(unknown()), 'UNKNOWN_KEY')
      await promote()
      await until(() => isServed(agent, champion))
      expect(tap.reports(agent).at(-1)?.desiredCounter).toBeGreaterThan(forgedCounter)
    })

    test('an older manifest under a fresh signature of the director: STALE_RELEASE', async () => {
      await forge(agent, tap.manifest(1))
      const expected = { reason: 'STALE_RELEASE', alarmOn: 1, served: champion }
      expect(await refusal(agent, url, 1)).toEqual(expected)
    })

    // The whole document is refused, so its alarm is about no version.
    test.each<[what: string, DeploymentReason, Partial<Desired>, by: () => Signer]>([
      ['signed by an unknown key', 'UNKNOWN_KEY', {}, unknown],
      ['that has expired', 'EXPIRED', { issuedAt: 1, expiresAt: 2 }, () => director],
      ['of another agent', 'WRONG_TARGET', { agent: 'gw-feed' }, () => director],
    ])('an assignment %s: %s', async (_, reason, changes, by) => {
      await forge(agent, tap.manifest(1), changes, by())
      expect(await refusal(agent, url, 1)).toEqual({ reason, alarmOn: null, served: champion })
    })

    test('an older assignment once more, byte for byte: REPLAYED', async () => {
      const [older = new Uint8Array()] = tap.assignments(agent)
      await promote()
      await until(() => isServed(agent, champion))
      await tap.publish(toTopic({ site, agent }, 'desired'), older)
      const expected = { reason: 'REPLAYED', alarmOn: null, served: champion }
      expect(await refusal(agent, url, champion - 1)).toEqual(expected)
    })
  })
})

describe('a snapshot that was changed after it was frozen', () => {
  beforeAll(() => startHouse('tampered', { volume: 100, readingsMin: 2_000 }), 30_000)
  afterAll(endHouse)

  test('trains nothing: the run ends with DATASET_CHANGED, and somebody is told', async () => {
    await startAgent('gw-1', brokerUrl, feed)
    await until(async () => (await ask<Round[]>('triggers'))[0]?.state === 'failed')
    const [round] = await ask<Round[]>('triggers')
    expect(round?.failure).toMatchObject({
      code: 'DATASET_CHANGED',
      hint: expect.stringContaining('find out who'),
    })
    const alerts = await ask<object[]>('alerts')
    expect(alerts).toMatchObject([{ alert: 'DATASET_CHANGED', level: 'act', model, source: 'lifecycle' }])
    expect(await ask<object[]>(`models/${model}/versions`)).toEqual([])
  }, 60_000)
})
