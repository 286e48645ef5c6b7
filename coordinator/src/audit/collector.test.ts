import { appendFile, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import {
  auditHeadOf,
  chainEntry,
  emptyAuditHead,
  sealCheckpoint,
  type AuditAck,
  type AuditDetails,
  type AuditEntry,
  type AuditHead,
} from '@imlma/protocol/audit'
import { createSigner, generateKeyPair, sha256, toKeyId, verifySignature } from '@imlma/protocol/node'
import { encodeJson } from '@imlma/protocol/wire'
import type { RegistryEvent } from '../registry/events.ts'
import { createHeadFile } from '../registry/head.fs.ts'
import { openRegistry } from '../registry/registry.kysely.ts'
import type { Registry } from '../registry/registry.ts'
import { openDatabase } from '../storage/database.sqlite.ts'
import { createStateStore } from '../storage/states.kysely.ts'
import { createAgentLogs } from './agent-logs.fs.ts'
import { createCollector, type Collector } from './collector.ts'

const pair = generateKeyPair()
const signer = createSigner(pair.secretKey)
const agentKey = { keyid: toKeyId(pair.publicKey), scheme: 'ed25519' as const, publicKey: pair.publicKey }

/** An agent's side, as far as the control centre sees it. */
const createGateway = (log = 'log-1', base: AuditHead = emptyAuditHead) => {
  const entries: AuditEntry[] = []
  const gateway = {
    log,
    entries,
    head: (): AuditHead => auditHeadOf(entries.at(-1) ?? { ...base }),
    record: (kind: string, details: AuditDetails = {}) => {
      entries.push(chainEntry(gateway.head(), { kind, details }, 1_000, sha256))
    },
    page: (after = 0, changes: object = {}) => {
      const head = gateway.head()
      const at = { v: 1 as const, site: 'demo', agent: 'gw-1', log, head, at: 1 }
      const checkpoint = sealCheckpoint(at, signer)
      const news = entries.filter(({ seq }) => seq > after)
      return { v: 1, log, base, baseCheckpoint: null, head, checkpoint, entries: news, ...changes }
    },
  }
  return gateway
}

let folder = ''
let registry: Registry
let collector: Collector
let acks: AuditAck[] = []
let failures: unknown[] = []
let at = 0
const open = async (): Promise<void> => {
  const db = openDatabase(join(folder, 'registry.db'))
  registry = await openRegistry({ db, head: createHeadFile(join(folder, 'head.json')) })
  collector = await createCollector(
    {
      client: {
        publish: async (_channel, _address, payload) => {
          acks.push(JSON.parse(new TextDecoder().decode(payload)) as AuditAck)
        },
      },
      registry,
      states: createStateStore(db),
      logs: createAgentLogs({ folder: join(folder, 'logs') }),
      keysOf: async () => [agentKey],
      verify: verifySignature,
      hash: sha256,
      now: () => at,
      onFailure: (cause) => failures.push(cause),
    },
    { site: 'demo' },
  )
}
const close = async (): Promise<void> => {
  await collector.stop()
  await registry.close()
}
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'imlma-collector-'))
  acks = []
  failures = []
  at = 1_000_000
  await open()
})
afterEach(async () => {
  await close()
  await rm(folder, { recursive: true, force: true })
})

const send = (page: object, changes: object = {}) =>
  collector.accept({ site: 'demo', agent: 'gw-1', payload: encodeJson(page), retained: false, ...changes })
const eventsOf = async <Kind extends RegistryEvent['kind']>(kind: Kind) =>
  (await registry.events({}))
    .map(({ event }) => event)
    .filter((event): event is Extract<RegistryEvent, { kind: Kind }> => event.kind === kind)
const alerts = async () => (await eventsOf('alert-raised')).map(({ alert }) => alert)
const lastAck = () => acks.at(-1)?.seq

const startedGateway = async () => {
  const gateway = createGateway()
  for (let n = 0; n < 3; n += 1) gateway.record('started', { n })
  await send(gateway.page())
  return gateway
}

describe('the copy of an agent’s log', () => {
  test('goes on page by page, says how far it is, and is anchored with the agent’s signature', async () => {
    const gateway = createGateway()
    await send(gateway.page())
    expect(lastAck()).toBe(0)
    gateway.record('started')
    gateway.record('stopped')
    await send(gateway.page(0))
    expect(lastAck()).toBe(2)
    await send(gateway.page(0))
    expect(lastAck()).toBe(2)
    gateway.record('started')
    await send(gateway.page(1))
    expect(lastAck()).toBe(3)
    expect(await alerts()).toEqual([])
    expect((await eventsOf('agent-log-kept')).map(({ entry, keyid }) => [entry, keyid])).toEqual([
      [0, agentKey.keyid],
    ])
    const text = await readFile(join(folder, 'logs', 'gw-1', 'log-1.1.ndjson'), 'utf8')
    expect(text.trim().split('\n')).toHaveLength(3)
    expect(failures).toEqual([])
  })

  test('is known again after a restart, without the half line of a power cut', async () => {
    const gateway = await startedGateway()
    await close()
    await appendFile(join(folder, 'logs', 'gw-1', 'log-1.1.ndjson'), '{"seq":4,')
    await open()
    gateway.record('stopped')
    await send(gateway.page(3))
    expect(lastAck()).toBe(4)
    expect(await alerts()).toEqual([])
  })

  test('asks again for what is missing in between', async () => {
    const gateway = await startedGateway()
    for (let n = 0; n < 3; n += 1) gateway.record('alarm', { n })
    await send(gateway.page(5))
    expect(lastAck()).toBe(3)
    expect(await alerts()).toEqual([])
  })

  test('tells of a log that got shorter when it says so twice, and keeps what was stored', async () => {
    const gateway = await startedGateway()
    gateway.entries.splice(1)
    await send(gateway.page(9))
    expect([await alerts(), lastAck()]).toEqual([[], 3])
    await send(gateway.page(9))
    expect(await alerts()).toEqual(['AUDIT_REWRITTEN'])
    await send(gateway.page(lastAck()))
    expect(lastAck()).toBe(1)
    expect((await readdir(join(folder, 'logs', 'gw-1'))).toSorted()).toEqual([
      'index.json',
      'log-1.1.ndjson',
      'log-1.2.ndjson',
    ])
  })

  test('is not troubled by an old page that comes late', async () => {
    const gateway = createGateway()
    gateway.record('started')
    const old = gateway.page()
    gateway.record('stopped')
    await send(gateway.page())
    await send(old)
    await send(gateway.page(2))
    await send(old)
    expect([await alerts(), lastAck()]).toEqual([[], 2])
  })

  test('tells of a log that was rewritten, at its end and in the middle', async () => {
    await startedGateway()
    const rewritten = createGateway()
    rewritten.record('started', { n: 0 })
    rewritten.record('started', { n: 7 })
    rewritten.record('started', { n: 2 })
    await send(rewritten.page(3))
    expect(await alerts()).toEqual(['AUDIT_REWRITTEN'])
    expect(lastAck()).toBe(0)
    const again = createGateway()
    for (let n = 0; n < 4; n += 1) again.record('alarm', { n })
    await send(rewritten.page(0))
    await send(again.page(3))
    expect(await alerts()).toEqual(['AUDIT_REWRITTEN', 'AUDIT_REWRITTEN'])
  })

  test('tells of entries that were dropped before they came, and of a log that began anew', async () => {
    await startedGateway()
    const later = createGateway('log-1', { seq: 9, hash: 'c'.repeat(64) })
    later.record('started')
    await send(later.page(9))
    expect([await alerts(), lastAck()]).toEqual([['AUDIT_GAP'], 10])
    const anew = createGateway('log-2')
    anew.record('started')
    await send(anew.page(0))
    expect([await alerts(), lastAck()]).toEqual([['AUDIT_GAP', 'AUDIT_RESTARTED'], 1])
    await send(anew.page(1))
    expect(await alerts()).toHaveLength(2)
  })

  test('takes no broken page, and no page of another site or of a retained message', async () => {
    const gateway = createGateway()
    gateway.record('started')
    const [entry] = gateway.entries as [AuditEntry]
    await send(gateway.page(0, { entries: [{ ...entry, at: 7 }] }))
    expect([await alerts(), acks]).toEqual([['AUDIT_BROKEN'], []])
    await send(gateway.page(), { site: 'other' })
    await send(gateway.page(), { retained: true })
    expect(acks).toEqual([])
    await send({ nothing: 1 })
    expect(await alerts()).toHaveLength(2)
  })

  test('does not believe a checkpoint with a false signature', async () => {
    const gateway = createGateway()
    gateway.record('started')
    const other = {
      ...gateway.page().checkpoint,
      signatures: [{ keyid: agentKey.keyid, sig: btoa('x'.repeat(64)) }],
    }
    await send(gateway.page(0, { checkpoint: other }))
    expect(await alerts()).toEqual(['AUDIT_BROKEN'])
    expect(await eventsOf('agent-log-kept')).toEqual([])
  })

  test('that somebody changed on this disk is not carried on', async () => {
    const gateway = await startedGateway()
    await close()
    const path = join(folder, 'logs', 'gw-1', 'log-1.1.ndjson')
    await writeFile(path, (await readFile(path, 'utf8')).replace('"n":1', '"n":8'))
    await open()
    gateway.record('stopped')
    await send(gateway.page(3))
    expect(failures).toMatchObject([{ code: 'AGENT_LOG_BROKEN' }])
  })
})

describe('what the log says against what was seen', () => {
  const commandEnd = (state: string) => ({
    commandId: 'c-1',
    state,
    code: null,
    detail: 'done',
    key: `command c-1 ${state}`,
  })
  const seen = async (state: string): Promise<void> => {
    const event = {
      kind: 'command-seen',
      agent: 'gw-1',
      model: null,
      commandId: 'c-1',
      operation: 'command',
    } as const
    await registry.append([{ ...event, state, code: null, detail: 'done' }], at)
  }
  const later = async (gateway: ReturnType<typeof createGateway>): Promise<void> => {
    at += 61_000
    await send(gateway.page(gateway.head().seq))
  }

  test('agrees where both say the same, whichever came first', async () => {
    const gateway = await startedGateway()
    await seen('succeeded')
    gateway.record('command', commandEnd('succeeded'))
    await send(gateway.page(3))
    await later(gateway)
    expect([await alerts(), await eventsOf('command-seen')]).toEqual([[], [expect.anything()]])
  })

  test('a command that somebody else answered is told', async () => {
    const gateway = await startedGateway()
    await seen('succeeded')
    await send(gateway.page(3))
    expect(await alerts()).toEqual([])
    await later(gateway)
    expect(await eventsOf('alert-raised')).toMatchObject([
      {
        alert: 'AUDIT_MISMATCH',
        agent: 'gw-1',
        evidence: { detail: expect.stringContaining('command c-1 succeeded') },
      },
    ])
  })

  test('a command that ended otherwise is told', async () => {
    const gateway = await startedGateway()
    await seen('refused')
    gateway.record('command', commandEnd('succeeded'))
    await send(gateway.page(3))
    expect(await alerts()).toEqual(['AUDIT_MISMATCH'])
  })

  test('the end of a command that nobody saw is learned, also over a restart', async () => {
    const gateway = await startedGateway()
    gateway.record('command', commandEnd('succeeded'))
    await send(gateway.page(3))
    await close()
    await open()
    await later(gateway)
    expect(await eventsOf('command-seen')).toMatchObject([
      { agent: 'gw-1', commandId: 'c-1', state: 'succeeded', operation: 'from the log' },
    ])
    await later(gateway)
    expect([await alerts(), (await eventsOf('command-seen')).length]).toEqual([[], 1])
  })

  test('an assignment that was never sealed here, or was another one, is told', async () => {
    const gateway = await startedGateway()
    const digest = 'd'.repeat(64)
    await collector.noteSealed('gw-1', { counter: 5, digest, keyid: agentKey.keyid })
    await collector.noteSealed('gw-1', { counter: 5, digest, keyid: agentKey.keyid })
    expect(await eventsOf('desired-sealed')).toHaveLength(1)
    gateway.record('desired-accepted', { counter: 4, digest: 'a'.repeat(64) })
    gateway.record('desired-accepted', { counter: 5, digest })
    await send(gateway.page(3))
    expect(await alerts()).toEqual([])
    gateway.record('desired-accepted', { counter: 5, digest: 'e'.repeat(64) })
    gateway.record('desired-accepted', { counter: 6, digest })
    await send(gateway.page(5))
    expect((await eventsOf('alert-raised')).map(({ evidence }) => evidence['detail'])).toEqual([
      expect.stringContaining('another assignment 5'),
      expect.stringContaining('never sealed'),
    ])
  })

  test('an agent that sends no log is not judged', async () => {
    await seen('succeeded')
    at += 10_000_000
    expect(await alerts()).toEqual([])
  })
})
