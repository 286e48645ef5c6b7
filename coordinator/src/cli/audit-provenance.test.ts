import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sha256 } from '@imlma/protocol/node'
import { signBatch } from '@imlma/protocol/trust'
import { encodeCbor, parseCborMessage, readingBatchSchema } from '@imlma/protocol/wire'
import Database from 'better-sqlite3'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { layoutOf } from '../layout.ts'
import type { RegistryEvent } from '../registry/events.ts'
import { createHeadFile } from '../registry/head.fs.ts'
import { openRegistry } from '../registry/registry.kysely.ts'
import { openDatabase } from '../storage/database.sqlite.ts'
import { createReadingsStore } from '../storage/readings.sqlite.ts'
import type { ReadingsStore } from '../storage/readings.ts'
import { newSigningAgent, openCertifiedAgents } from '../trust/testing/certified-agents.fs.ts'
import { commands } from './commands.ts'
import { openContext } from './context.process.ts'
import { runProgram } from './program.commander.ts'

const day = 86_400_000
const site = 'north'
const digests = { first: sha256('first'), second: sha256('second') }

let dataDir: string
let store: ReadingsStore
const keys = { 'gw-1': newSigningAgent(), 'gw-2': newSigningAgent() }

const imlma = async (...args: readonly string[]) => {
  let text = ''
  const write = (part: string) => void (text += part)
  const code = await runProgram(
    {
      commands,
      terminal: { out: write, err: write },
      open: (options) => openContext({ folder: dataDir, environment: {}, options }, write),
    },
    ['audit', 'verify', '--data-dir', dataDir, ...args],
  )
  return { code, text }
}

const accept = (agent: keyof typeof keys, seq: number, receivedAt = 0) => {
  const { signer } = keys[agent]
  const series = [
    { meter: agent, register: 'r', interval: 1_000, start: seq * 1_000, values: Float32Array.of(seq) },
  ]
  const body = { v: 1, seq, sentAt: 0, historical: false, series, signature: 0 }
  const bytes = signBatch({ site, agent }, encodeCbor(body).subarray(0, -11), signer)
  const batch = parseCborMessage(readingBatchSchema, bytes, 1e6)
  if (!batch.ok) throw new Error(batch.refusal.message)
  const proof = { keyid: signer.keyid, digest: Buffer.from(sha256(bytes), 'hex') }
  store.accept([{ site, agent, receivedAt, bytes, batch: batch.value, proof }])
}

const triggered = (dataset: string): RegistryEvent => ({
  kind: 'retraining-triggered',
  model: `load-${dataset.slice(0, 8)}`,
  run: dataset.slice(0, 8),
  trigger: { kind: 'volume', evidence: {}, at: 0 },
})
const frozen = (dataset: string, agents: readonly string[]): RegistryEvent => ({
  kind: 'dataset-frozen',
  model: `load-${dataset.slice(0, 8)}`,
  run: dataset.slice(0, 8),
  dataset: {
    sha256: dataset,
    bytes: 1,
    series: 1,
    readings: 1,
    window: { start: 0, end: 2 },
    trainEnd: 1,
    evaluation: { start: 1, end: 2 },
    provenance: agents.map((agent) => {
      const signed = store.signedHistory(site, agent)
      return {
        agent,
        firstSeq: 1,
        lastSeq: 9,
        ...(signed && { signed: { ...signed, keyids: [...signed.keyids] } }),
      }
    }),
  },
})

/** Two datasets: of gw-1 and gw-3, which signs nothing; then of gw-1, longer, and gw-2. The store stays open. */
beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'imlma-audit-provenance-'))
  const layout = layoutOf(dataDir)
  const certified = await openCertifiedAgents(layout.trust)
  for (const agent of ['gw-1', 'gw-2'] as const) await certified.certify({ site, agent }, keys[agent])
  store = createReadingsStore(layout.readings, { retentionDays: 1 })
  const registry = await openRegistry({
    db: openDatabase(layout.registry),
    head: createHeadFile(layout.registryHead),
  })
  for (const seq of [1, 2]) accept('gw-1', seq)
  await registry.append([triggered(digests.first), frozen(digests.first, ['gw-1', 'gw-3'])], 0)
  accept('gw-1', 3)
  for (const seq of [1, 2]) accept('gw-2', seq)
  await registry.append([triggered(digests.second), frozen(digests.second, ['gw-1', 'gw-2'])], 0)
  await registry.close()
})
afterEach(async () => {
  store.close()
  await rm(dataDir, { recursive: true })
})

/** As somebody would who has the file. */
const tamper = (sql: string) => {
  const database = new Database(layoutOf(dataDir).readings)
  expect(database.prepare(sql).run().changes).toBeGreaterThan(0)
  database.close()
}
const ofAgent = (agent: string) => `agent_id = (SELECT id FROM agents WHERE agent = '${agent}')`

test('datasets are recomputed from the batches of their agents, also while the store is written', async () => {
  const { code, text } = await imlma()
  expect(code).toBe(0)
  expect(text).toContain('the datasets hold: 2 from 5 signed batches of 2 agents')
  expect(text).toContain('5 signatures verified, 0 held by digest only; unsigned parts of 1 agents')
  expect(JSON.parse((await imlma('--json')).text)).toMatchObject({
    intact: true,
    events: 4,
    provenance: {
      datasets: 2,
      agents: 2,
      batches: 5,
      signaturesVerified: 5,
      digestOnly: 0,
      unsigned: ['gw-3'],
      mismatches: [],
    },
  })
})

test('batches whose bytes were pruned are held by their digests', async () => {
  accept('gw-1', 4, 3 * day)
  store.fold(100)
  accept('gw-1', 5, 3 * day)
  const { code, text } = await imlma('--json')
  expect(code).toBe(0)
  const { signaturesVerified, digestOnly } = (
    JSON.parse(text) as { provenance: { signaturesVerified: number; digestOnly: number } }
  ).provenance
  expect(digestOnly).toBeGreaterThan(0)
  expect(signaturesVerified + digestOnly).toBe(5)
})

test.each([
  [
    'bytes of a batch',
    `UPDATE batches SET bytes = zeroblob(200) WHERE seq = 2 AND ${ofAgent('gw-2')}`,
    'PROVENANCE_BROKEN',
    digests.second,
    'gw-2',
  ],
  [
    'the digest of a batch',
    `UPDATE signed_batches SET digest = zeroblob(32) WHERE position = 3 AND ${ofAgent('gw-1')}`,
    'PROVENANCE_BROKEN',
    digests.second,
    'gw-1',
  ],
  [
    'the key of all batches',
    `UPDATE signing_keys SET keyid = '${'0'.repeat(64)}' WHERE ${ofAgent('gw-1')}`,
    'UNKNOWN_KEY',
    digests.first,
    'gw-1',
  ],
  [
    'a batch that is gone',
    `DELETE FROM signed_batches WHERE position = 2 AND ${ofAgent('gw-1')}`,
    'PROVENANCE_BROKEN',
    digests.first,
    'gw-1',
  ],
])('who changed %s is found, with the dataset and the agent', async (_, sql, refusal, dataset, agent) => {
  tamper(sql)
  const { code, text } = await imlma()
  expect(code).toBe(1)
  expect(text).toContain(`${refusal}: dataset ${dataset}, agent ${agent}: `)
})

test('a digest of pruned bytes that was changed is found by the head of the record alone', async () => {
  tamper('DELETE FROM batches')
  expect((await imlma()).text).toContain('0 signatures verified, 5 held by digest only')
  tamper(`UPDATE signed_batches SET digest = zeroblob(32) WHERE position = 1 AND ${ofAgent('gw-2')}`)
  expect(await imlma()).toMatchObject({
    code: 1,
    text: expect.stringContaining(`dataset ${digests.second}, agent gw-2: the digests of 2 batches`),
  })
})

test('a store of readings that was removed is a mismatch of every signed part', async () => {
  store.close()
  await rm(layoutOf(dataDir).readings)
  expect(await imlma()).toMatchObject({
    code: 1,
    text: expect.stringMatching(/PROVENANCE_BROKEN: dataset .* agent gw-1: no readings at .*and 2 more/),
  })
})

test('certified keys that were removed are missed', async () => {
  await rm(join(layoutOf(dataDir).trust, 'agents', `${site}.gw-2`), { recursive: true })
  expect(await imlma()).toMatchObject({
    code: 1,
    text: expect.stringContaining(`UNKNOWN_KEY: dataset ${digests.second}, agent gw-2`),
  })
})
