/**
 * One gateway and its control centre for tests: real keys, real files, real envelopes, a link that is a function call.
 * The gateway can be switched off at any moment and started again on the same folder.
 */

import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { encodeFloat32, manifestPayloadType, type Contract, type Manifest } from '@imlma/protocol/manifest'
import { crc32, createSigner, generateKeyPair, sha256, verifySignature } from '@imlma/protocol/node'
import {
  desiredPayloadType,
  rootPayloadType,
  sealEnvelope,
  toBase64,
  type Envelope,
  type Role,
  type Signer,
  type TrustRoot,
} from '@imlma/protocol/trust'
import { commandPayloadType, encodeJson, type Command } from '@imlma/protocol/wire'
import type { ControlMessage } from '../../link/link.ts'
import type { Raised } from '../machine-room.ts'
import { startModels, type Models, type ModelsOptions, type ModelsParts } from '../models.ts'
import { openRoots } from '../roots.fs.ts'
import type { Serving } from '../serving.ts'
import { openState } from '../state.lowdb.ts'
import { openStore } from '../store.fs.ts'
import { createTransfer } from '../transfer.ts'
import { wait } from '../wait.timer.ts'
import type { ControlCentre } from './control-centre.timer.ts'

export const site = 'demo'
const agent = 'gw-1'
export const model = 'load'

export interface Key {
  readonly signer: Signer
  readonly public: string
}

export const newKey = (): Key => {
  const { publicKey, secretKey } = generateKeyPair()
  return { signer: createSigner(secretKey), public: toBase64(publicKey) }
}

export const newKeys = (): Readonly<Record<Role, Key>> => ({
  root: newKey(),
  release: newKey(),
  director: newKey(),
  technician: newKey(),
  agent: newKey(),
})

const farAway = 4_000_000_000_000

/** A root with one key for each role, signed by `signers` (by its own root key where none are named). */
export const sealRoot = (
  keys: Readonly<Record<Role, Key>>,
  version = 1,
  signers: readonly Signer[] = [keys.root.signer],
): Envelope => {
  const role = (name: Role) => ({ keyids: [keys[name].signer.keyid], threshold: 1 })
  const root: TrustRoot = {
    v: 1,
    version,
    expiresAt: farAway,
    keys: Object.fromEntries(
      Object.entries(keys).map(([name, key]) => [
        key.signer.keyid,
        { scheme: 'ed25519', public: key.public, name },
      ]),
    ),
    roles: {
      root: role('root'),
      release: role('release'),
      director: role('director'),
      technician: role('technician'),
      agent: role('agent'),
    },
  }
  return sealEnvelope(rootPayloadType, root, signers)
}

/** A released version: its artifact and its manifest. */
export interface Released {
  readonly sha256: string
  readonly bytes: Uint8Array
  readonly manifest: Manifest
  readonly envelope: Envelope
}

export const release = (
  key: Key,
  version: number,
  artifact: {
    readonly bytes: Uint8Array
    readonly contract: Contract
    readonly answer: (input: Float32Array) => Float32Array
  },
  changes: Partial<Manifest> = {},
): Released => {
  const digest = sha256(artifact.bytes)
  const columns = artifact.contract.inputs[0]?.shape.at(-1) ?? 0
  const vectors = Array.from({ length: 8 }, (_, row) => {
    const input = Float32Array.from({ length: columns }, (_value, column) => row + column / 10)
    return { input: encodeFloat32(input), output: encodeFloat32(artifact.answer(input)) }
  })
  const manifest: Manifest = {
    v: 1,
    model,
    version,
    release: version,
    createdAt: 0,
    artifact: { sha256: digest, bytes: artifact.bytes.byteLength },
    contract: artifact.contract,
    golden: { tolerance: 1e-4, vectors },
    reference: {
      inputs: {},
      residuals: { histogram: { edges: [0], counts: [0, 0] }, rows: 0 },
      holdOut: { mse: 1, mae: 1, r2: 0 },
      latencyMsBudget: 1_000,
    },
    lineage: {
      parent: null,
      datasetSha256: '0'.repeat(64),
      study: null,
      trigger: { kind: 'manual', evidence: {} },
      learner: 'test',
      parameters: {},
      codeVersion: '0',
      seed: 0,
    },
    decision: {},
    ...changes,
  }
  const envelope = sealEnvelope(manifestPayloadType, manifest, [key.signer])
  return { sha256: digest, bytes: artifact.bytes, manifest, envelope }
}

export const sealDesired = (
  key: Key,
  counter: number,
  models: Readonly<Record<string, Envelope>>,
  changes: Readonly<Record<string, unknown>> = {},
): Uint8Array => {
  const entries = Object.entries(models).map(([name, manifest]) => [name, { manifest, mode: 'active' }])
  const desired = {
    v: 1,
    site,
    agent,
    counter,
    issuedAt: 0,
    expiresAt: farAway,
    models: Object.fromEntries(entries),
  }
  return encodeJson(sealEnvelope(desiredPayloadType, { ...desired, ...changes }, [key.signer]))
}

export const sealCommand = (
  key: Key,
  command: Pick<Command, 'operation' | 'counter'> & Partial<Command>,
): ControlMessage => {
  const commandId = command.commandId ?? `c-${command.counter}`
  const whole: Command = {
    v: 1,
    site,
    agents: [agent],
    model,
    target: null,
    reason: 'a test',
    notBefore: 0,
    expiresAt: farAway,
    ...command,
    commandId,
  }
  const payload = encodeJson(sealEnvelope(commandPayloadType, whole, [key.signer]))
  return { id: commandId, payload, retained: false }
}

export interface Gateway {
  readonly folder: string
  readonly models: Models
  readonly alarms: readonly Raised[]
  readonly failures: readonly unknown[]
  readonly off: () => Promise<void>
}

export interface GatewayOptions extends Partial<ModelsOptions> {
  readonly trustedClock?: boolean
  readonly now?: number
  /** In the place of these two. */
  readonly clock?: ModelsParts['clock']
  /** Wraps the parts: to cut the power, to fill the disk. */
  readonly wrap?: (parts: ModelsParts) => ModelsParts
  readonly resend?: ModelsParts['resend']
  readonly liveSeries?: ModelsParts['liveSeries']
  /** Nothing runs in shadow where this is absent. */
  readonly shadowServing?: ModelsParts['shadowServing']
}

export const newFolder = (): Promise<string> => mkdtemp(join(tmpdir(), 'imlma-models-'))

export const start = async (
  folder: string,
  anchor: Envelope,
  centre: ControlCentre,
  serving: Serving,
  options: GatewayOptions = {},
): Promise<Gateway> => {
  const alarms: Raised[] = []
  const failures: unknown[] = []
  let requests = 0
  const transfer = createTransfer(
    {
      link: centre.link,
      crc32,
      requestId: () => `r-${requests++}`,
      wait: (_ms, signal) => (signal.aborted ? Promise.resolve() : wait(5, signal)),
      random: () => 0,
    },
    { chunkBytes: 200, triesMax: 2 },
  )
  await mkdir(folder, { recursive: true })
  const parts: ModelsParts = {
    store: await openStore({ folder: join(folder, 'models') }),
    file: await openState(join(folder, 'state.json')),
    roots: await openRoots(join(folder, 'roots.json')),
    anchor,
    verify: verifySignature,
    serving,
    shadowServing: options.shadowServing ?? {
      start: () => undefined,
      stop: () => undefined,
      onRun: () => () => undefined,
    },
    transfer,
    link: centre.link,
    clock: options.clock ?? {
      now: () => options.now ?? 1_000_000,
      trusted: () => options.trustedClock ?? true,
      prove: () => undefined,
      follow: () => undefined,
    },
    monotonicMs: () => performance.now(),
    // Every delay is short, none is long: what a test waits for is a condition.
    wait: (ms, signal) => wait(Math.min(ms, 5), signal),
    random: () => 0,
    raise: (alarm) => alarms.push(alarm),
    onFailure: (cause) => failures.push(cause),
    ...(options.resend === undefined ? {} : { resend: options.resend }),
    ...(options.liveSeries === undefined ? {} : { liveSeries: options.liveSeries }),
  }
  const models = await startModels(options.wrap?.(parts) ?? parts, { site, agent, ...options })
  const off = async (): Promise<void> => {
    await models.stop()
    transfer.close()
  }
  return { folder, models, alarms, failures, off }
}

/** Changes one byte of a file, somewhere in its middle. */
export const flipByte = async (path: string): Promise<void> => {
  const bytes = await readFile(path)
  const middle = bytes.length >> 1
  bytes[middle] = (bytes[middle] ?? 0) ^ 1
  await writeFile(path, bytes)
}

export const removeFolder = (folder: string): Promise<void> => rm(folder, { recursive: true, force: true })
