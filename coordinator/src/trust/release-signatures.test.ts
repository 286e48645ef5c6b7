import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { manifestPayloadType, manifestSchema, type Manifest } from '@imlma/protocol/manifest'
import { verifySignature } from '@imlma/protocol/node'
import { openEnvelope, type Envelope } from '@imlma/protocol/trust'
import { establishTrust, type Trust } from './establish.fs.ts'
import { newKey, writeKeyFile } from './keys.fs.ts'
import { approveRelease, sealRelease } from './release-signatures.fs.ts'
import { proposeRoot } from './root-office.fs.ts'

const now = 1_700_000_000_000
let folder: string
let trust: Trust
const adaPath = () => join(folder, 'ada.key')
const evePath = () => join(folder, 'eve.key')

/** A site whose versions need Ada's signature beside the control centre's. */
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'imlma-release-'))
  trust = await establishTrust(folder, { now })
  const ada = newKey('release', 'Ada')
  await writeKeyFile(adaPath(), ada)
  await writeKeyFile(evePath(), newKey('release', 'Eve'))
  const options = { keyPaths: [], out: undefined }
  await proposeRoot(folder, { kind: 'add', role: 'release', key: ada }, options)
  await proposeRoot(folder, { kind: 'set', role: 'release', terms: { threshold: 2 } }, options)
  await trust.refresh()
})
afterEach(() => rm(folder, { recursive: true, force: true }))

const manifestOf = (version: number, changes: Partial<Manifest> = {}): Manifest => {
  const vector = { input: 'AAAAAAAAAAA=', output: 'AAAAAA==' }
  const histogram = { edges: [0], counts: [0, 0] }
  return manifestSchema.parse({
    v: 1,
    model: 'load',
    version,
    release: version,
    createdAt: now,
    artifact: { sha256: 'a'.repeat(64), bytes: 1 },
    contract: {
      task: 'forecast',
      quantity: 'active power',
      unit: 'kW',
      register: '1-0:1.8.0',
      intervalMs: 900_000,
      contextLength: 2,
      horizon: 1,
      inputs: [{ name: 'features', type: 'float32', shape: [null, 2] }],
      outputs: [{ name: 'forecast', type: 'float32', shape: [null, 1] }],
      features: {
        v: 1,
        intervalMs: 900_000,
        horizon: 1,
        seasonSteps: 4,
        missingMax: 0,
        zone: [{ from: 0, offsetMs: 0 }],
        holidays: [],
        shared: [{ kind: 'lags', lags: [1, 2] }],
        step: [],
      },
    },
    golden: { tolerance: 1e-4, vectors: Array.from({ length: 8 }, () => vector) },
    reference: {
      inputs: {},
      residuals: { histogram, rows: 0 },
      holdOut: { mse: 1, mae: 1, r2: 0 },
      latencyMsBudget: 1,
    },
    lineage: {
      parent: null,
      datasetSha256: 'b'.repeat(64),
      study: null,
      trigger: { kind: 'manual', evidence: {} },
      learner: 'ridge',
      parameters: {},
      codeVersion: '0',
      seed: 1,
    },
    decision: {},
    ...changes,
  })
}

/** A control centre at the signature: `until` is what happens while it waits, once. */
const seal = async (manifest: Manifest, until: (stop: () => void) => Promise<void> | void) => {
  const stopping = new AbortController()
  const said: string[] = []
  let waited = false
  const envelope = await sealRelease(
    {
      folder,
      root: trust.chain.current,
      release: () => trust.release,
      wait: async () => {
        if (waited) throw new Error('waits on')
        waited = true
        await until(() => stopping.abort())
      },
    },
    manifest,
    { signal: stopping.signal, onWaiting: (detail) => said.push(detail) },
  ).catch((error: unknown) => error as Error)
  return { envelope, said, waited }
}
const opens = (envelope: unknown): boolean =>
  openEnvelope(envelope as Envelope, {
    payloadType: manifestPayloadType,
    schema: manifestSchema,
    root: trust.chain.current(),
    role: 'release',
    verify: verifySignature,
  }).ok
const approve = (keyPath: string, version = 1) => approveRelease(folder, { model: 'load', version }, keyPath)

test('a version waits for the second person, and is then signed as agents take it', async () => {
  const { envelope, said } = await seal(manifestOf(1), async () => {
    expect(await approve(evePath())).toMatchObject({ refusal: { code: 'NOT_AUTHORISED' } })
    expect(await approve(adaPath())).toMatchObject({ value: { by: 'Ada', persons: 2, needed: 2 } })
  })
  expect(opens(envelope)).toBe(true)
  expect(said).toEqual([expect.stringContaining('imlma approve load --release 1')])
})

test('without the second person it goes on waiting', async () => {
  const { envelope } = await seal(manifestOf(1), async () => {
    await approve(evePath())
  })
  expect(envelope).toMatchObject({ message: 'waits on' })
})

test('a control centre that was stopped meanwhile finds the signatures again, also once it had them all', async () => {
  const stopped = await seal(manifestOf(1), (stop) => stop())
  expect(stopped.envelope).toMatchObject({ code: 'INTERRUPTED' })
  expect((await approve(adaPath())).ok).toBe(true)
  for (const createdAt of [now + 1_000, now + 2_000]) {
    const again = await seal(manifestOf(1, { createdAt }), () => undefined)
    expect([opens(again.envelope), again.waited]).toEqual([true, false])
  }
})

test('signatures on one version are none on another, and an older one is forgotten', async () => {
  await seal(manifestOf(1), async (stop) => {
    await approve(adaPath())
    stop()
  })
  const other = await seal(manifestOf(1, { artifact: { sha256: 'c'.repeat(64), bytes: 1 } }), () => undefined)
  expect(other.envelope).toMatchObject({ message: 'waits on' })
  await seal(manifestOf(2), (stop) => stop())
  expect(await readdir(join(folder, 'pending'))).toEqual(['load.2.json'])
  expect(await approve(adaPath(), 1)).toMatchObject({ refusal: { code: 'NOT_PENDING' } })
})

test('where one person is enough nothing waits and nothing is left', async () => {
  const one = { kind: 'set', role: 'release', terms: { threshold: 1 } } as const
  await proposeRoot(folder, one, { keyPaths: [], out: undefined })
  await trust.refresh()
  const { envelope, waited } = await seal(manifestOf(1), () => undefined)
  expect([opens(envelope), waited]).toEqual([true, false])
  await expect(readdir(join(folder, 'pending'))).rejects.toMatchObject({ code: 'ENOENT' })
})
