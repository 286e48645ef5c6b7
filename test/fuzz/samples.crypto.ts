/** Honest documents of one small site: its keys, its trust roots, one version, and what travels about it. */

import {
  newKeys,
  release,
  sealCommand,
  sealDesired,
  sealRoot,
  tinyContract,
  encodeTinyModel,
} from '@imlma/agent/testing/parsers'
import { chainEntry, emptyAuditHead, sealCheckpoint } from '@imlma/protocol/audit'
import { createSigner, crc32, generateKeyPair, sha256, verifySignature } from '@imlma/protocol/node'
import {
  certificationPayloadType,
  openFirstRoot,
  sealEnvelope,
  signBatch,
  toBase64,
  type TrustRoot,
} from '@imlma/protocol/trust'
import { encodeCbor, type ReadingBatch } from '@imlma/protocol/wire'

export const site = 'demo'
export const agent = 'gw-1'
export const now = 1_700_000_000_000

export const keys = newKeys()
export const rootEnvelope = sealRoot(keys)
const nextKeys = { ...newKeys(), root: keys.root }
export const nextRootEnvelope = sealRoot(nextKeys, 2, [keys.root.signer])
const first = openFirstRoot(rootEnvelope, verifySignature)
if (!first.ok) throw new Error(first.refusal.message)
export const root: TrustRoot = first.value

const modelFile = (n: number) =>
  encodeTinyModel({
    layers: [{ weights: Float32Array.from({ length: 16 }, () => n), bias: Float32Array.of(0, n) }],
  })
export const modelFiles = [modelFile(1), modelFile(2)]
const contract = tinyContract({ features: 8, horizon: 2 })
export const released = modelFiles.map((bytes, index) =>
  release(keys.release, index + 1, { bytes, contract, answer: () => Float32Array.of(0, index + 1) }),
)
export const desiredPayloads = released.map(({ envelope }, index) =>
  sealDesired(keys.director, index + 1, { load: envelope }),
)
export const commands = [
  sealCommand(keys.technician, { operation: 'rollback', target: 'previous', counter: 1, commandId: 'c-1' }),
  sealCommand(keys.technician, { operation: 'quarantine', target: 2, counter: 2, commandId: 'c-1' }),
]

const pair = generateKeyPair()
export const agentSigner = createSigner(pair.secretKey)
export const agentKey = {
  keyid: agentSigner.keyid,
  scheme: 'ed25519',
  publicKey: pair.publicKey,
} as const
export const certificationEnvelope = sealEnvelope(
  certificationPayloadType,
  {
    v: 1,
    site,
    agent,
    keyid: agentSigner.keyid,
    public: toBase64(pair.publicKey),
    serial: '0f',
    issuedAt: 1,
    expiresAt: now * 2,
  },
  [keys.agent.signer],
)

export const batches: readonly ReadingBatch[] = [1, 2].map((seq) => ({
  v: 1,
  seq,
  oldest: 1,
  sentAt: now,
  historical: seq === 2,
  series: [
    {
      meter: 'm-1',
      register: '1-0:1.8.0',
      interval: 900_000,
      start: 1_699_999_200_000,
      values: Float32Array.of(1.5, Number.NaN, -0),
      quality: Uint8Array.of(0, 3, 4),
    },
    {
      meter: 'm-2',
      register: '1-0:2.8.0',
      interval: 900_000,
      start: 1_699_999_200_000,
      values: Float32Array.of(seq),
    },
  ],
}))
/** The map announces one entry more than it has: the signature follows. */
export const signedPackets = batches.map((batch) => {
  const front = encodeCbor({ ...batch, signature: 0 })
  return signBatch({ site, agent }, front.subarray(0, front.length - 'signature'.length - 2), agentSigner)
})

const hash = (text: string) => sha256(new TextEncoder().encode(text))
const entry = chainEntry(
  emptyAuditHead,
  { kind: 'started', details: { version: '0.1.0', again: true } },
  now,
  hash,
)
export const auditEntry = entry
const head = { seq: entry.seq, hash: entry.hash }
export const checkpointEnvelope = sealCheckpoint(
  { v: 1, site, agent, log: 'log-1', head, at: now },
  agentSigner,
)
export const auditPage = {
  v: 1,
  log: 'log-1',
  base: emptyAuditHead,
  baseCheckpoint: null,
  head,
  checkpoint: checkpointEnvelope,
  entries: [entry],
}

const digest = 'a'.repeat(64)
const sums = {
  count: 2,
  errorSum: 1,
  absoluteErrorSum: 1,
  squaredErrorSum: 1,
  actualMean: 3,
  actualSquaresSum: 2,
}
const histogram = { edges: [0, 1], counts: [1, 2, 3] }
const losses = { squared: 1, absolute: 1 }
export const report = {
  v: 1,
  bootId: 'boot-1',
  windowStart: now - 10_000,
  windowEnd: now,
  versions: [
    {
      model: 'load',
      version: 1,
      runs: 3,
      failures: 0,
      latencySketch: Uint8Array.of(1, 2, 3),
      latencyMs: { p50: 1, p95: 2, p99: 3 },
      errors: sums,
      baseline: sums,
      coverage: { inside: 1, count: 2 },
      inputs: { lag_1: { histogram, rows: 6, psi: 0.1, verdict: 'stable' } },
      residuals: histogram,
      samples: [{ meter: 'm-1', at: now, forecast: 1, actual: 2, step: 1, low: 0, high: 3 }],
    },
  ],
  comparisons: [
    {
      model: 'load',
      champion: 1,
      challenger: 2,
      challengerSha256: digest,
      days: [
        {
          day: 0,
          count: 1,
          failures: 0,
          champion: losses,
          challenger: losses,
          actual: { sum: 1, squared: 1 },
        },
      ],
    },
  ],
  process: { residentBytes: 1, uptimeS: 1, reconnects: 0 },
}
const installed = { version: 1, release: 1, sha256: digest }
export const reported = {
  v: 1,
  bootId: 'boot-1',
  agentVersion: '0.1.0',
  at: now,
  desiredCounter: 1,
  rootVersion: 1,
  backlog: { batches: 0, bytes: 0, readings: 0, dropped: 0, oldestAt: null },
  models: {
    load: {
      phase: 'idle',
      active: installed,
      previous: null,
      challenger: null,
      pinned: false,
      releaseMax: 1,
      quarantined: [digest],
      outcome: {
        version: 1,
        sha256: digest,
        state: 'committed',
        reason: null,
        detail: '',
        durationsMs: { fetch: 1 },
        at: now,
      },
      shadow: { ...installed, state: 'running', reason: null, detail: '' },
    },
  },
}
const bytes = Uint8Array.of(1, 2, 3)
export const messages = {
  presence: {
    v: 1,
    state: 'online',
    bootId: 'boot-1',
    agentVersion: '0.1.0',
    capabilities: ['shadow'],
    at: now,
  },
  alarm: {
    v: 1,
    id: 'a-1',
    model: 'load',
    version: 1,
    kind: 'drift',
    level: 'act',
    value: 0.3,
    limit: '0.2',
    evidence: { code: 'PSI', n: 1 },
    at: now,
  },
  fetch: { v: 1, requestId: 'r-1', sha256: digest, offset: 0, length: 200 },
  chunk: { sha256: digest, offset: 0, total: 3, bytes, crc32: crc32(bytes) },
  ack: { v: 1, seq: 7 },
  auditAck: { v: 1, log: 'log-1', seq: 7 },
  result: {
    v: 1,
    commandId: 'c-1',
    state: 'succeeded',
    code: null,
    detail: '',
    serving: { load: 1 },
    at: now,
  },
}
