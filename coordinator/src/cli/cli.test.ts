import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { createServer, type AddressInfo, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { Aedes } from 'aedes'
import { connectAsync } from 'mqtt'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { verifySignature } from '@imlma/protocol/node'
import { envelopeSchema, openEnvelope, type TrustRoot } from '@imlma/protocol/trust'
import {
  commandPayloadType,
  commandSchema,
  encodeJson,
  toTopic,
  type CommandResult,
} from '@imlma/protocol/wire'
import { commands } from './commands.ts'
import { openContext } from './context.process.ts'
import { runProgram } from './program.commander.ts'
import type { Sources } from './settings.fs.ts'
import { createApp } from '../api/routes.http.ts'
import { startServer, type HttpServer } from '../api/server.http.ts'
import { createControlFixture, type ControlFixture } from '../api/testing/control-fixture.ts'
import { createPeopleFixture } from '../api/testing/people-fixture.ts'
import { establishTrust } from '../trust/establish.fs.ts'
import { createHeadFile } from '../registry/head.fs.ts'
import { openRegistry } from '../registry/registry.kysely.ts'
import { openDatabase } from '../storage/database.sqlite.ts'

const run = promisify(execFile)
const program = join(import.meta.dirname, 'main.ts')

let folder: string
let dataDir: string
let keyPath: string
/** What the latest program has said on standard error so far. */
let said = ''
let control: ControlFixture
let server: HttpServer
let environment: Record<string, string>

interface Ended {
  readonly code: number
  readonly out: string
  readonly err: string
}

/** The program inside this process; `spawned` below proves that the file itself does the same. */
const imlma = async (...words: string[]): Promise<Ended> => {
  let out = ''
  said = ''
  const open = (options: Sources['options']) =>
    openContext({ folder, environment, options }, (line) => (said += `${line}\n`))
  const terminal = { out: (text: string) => (out += text), err: (text: string) => (said += text) }
  const code = await runProgram({ commands, open, terminal }, words)
  return { code, out, err: said }
}

/** The program as a process, with nothing of this one's environment but what it is given. */
const spawned = async (...words: string[]): Promise<Ended> => {
  try {
    const { stdout, stderr } = await run(process.execPath, [program, ...words], {
      cwd: folder,
      env: environment,
    })
    return { code: 0, out: stdout, err: stderr }
  } catch (error) {
    const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string }
    return { code, out: stdout, err: stderr }
  }
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'imlma-cli-'))
  dataDir = join(folder, 'state')
  keyPath = join(folder, 'nguyen.key')
  await mkdir(dataDir)
  await writeFile(join(dataDir, 'operator-token'), 'operate\n')
  await establishTrust(join(dataDir, 'trust'), { now: Date.now() })
  control = createControlFixture({ now: Date.now(), inShadow: true })
  const app = createApp(
    {
      control,
      assets: { importMapHash: '', find: async () => undefined },
      people: createPeopleFixture(),
      now: Date.now,
    },
    { version: '0.1.0', loopbackOnly: true },
  )
  server = await startServer(app, { host: '127.0.0.1', port: 0 })
})

beforeEach(() => {
  environment = { IMLMA_URL: server.url, IMLMA_DATA_DIR: dataDir, IMLMA_BROKER: 'mqtt://127.0.0.1:1' }
})

afterAll(async () => {
  await server.close()
  await rm(folder, { recursive: true, force: true })
})

describe('looking', () => {
  test.each([
    [['status'], /champion {2}v6: MSE 0\.0388.*R² 0\.880 on 40,320 rows/],
    [
      ['status'],
      /in shadow version 5, day 12, evidence 5\.08 of needed 40; 25,344 pairs of 3 agents beside v6/,
    ],
    [['agents'], /gw-3 +offline .*v4 pinned .*62,400/],
    [['versions'], /v6 \* +promoted/],
    [['versions', 'load-day-ahead'], /v3 +rejected/],
    [['compare', '4', 'v6'], /MSE +gate +0\.0426 +0\.0388 +-8\.9 % +B/],
    [['lineage', '6'], /v6 \(promoted\) <- v4 \(promoted\) <- v2/],
  ])('imlma %j', async (words, expected) => {
    const { code, out, err } = await imlma(...words)
    expect([code, err]).toEqual([0, ''])
    expect(out).toMatch(expected)
  })

  test('--json prints a document and nothing else', async () => {
    const { out } = await imlma('agents', '--json')
    expect((JSON.parse(out) as { agent: string }[]).map(({ agent }) => agent)).toEqual([
      'gw-1',
      'gw-2',
      'gw-3',
    ])
  })

  test('what npm start has left behind says where the control centre is', async () => {
    await mkdir(join(folder, '.imlma'))
    const current = { dataDir, url: server.url, broker: 'mqtt://127.0.0.1:1', site: 'demo' }
    await writeFile(join(folder, '.imlma', 'current.json'), JSON.stringify(current))
    environment = {}
    expect((await imlma('status')).out).toContain('site        demo')
    await rm(join(folder, '.imlma'), { recursive: true })
  })
})

describe('ending badly', () => {
  test.each([
    [['versions', 'nope'], 1, /^UNKNOWN_MODEL: .*\nhint: models are: load-day-ahead/],
    [['compare', '4', '9'], 1, /^UNKNOWN_VERSION: .*\nhint: versions are 1 to 6/],
    [['compare', '4', '4'], 2, /^USAGE: /],
    [['lineage', 'six'], 2, /^USAGE: six is no version/],
    [['bogus'], 2, /unknown command/],
    [['rollback', '--agent', 'gw-1', '--reason', 'x'], 2, /--key <files>/],
    [['status', '--url', 'http://127.0.0.1:1'], 3, /^UNREACHABLE: .*\nhint: .*--url/],
    [['audit', 'verify', '--data-dir', 'nowhere'], 1, /^NO_REGISTRY: .*\nhint: .*--data-dir/],
    [['keys', 'show', 'nowhere.key'], 1, /^KEY_MISSING: /],
  ])('imlma %j ends with %i', async (words, exit, expected) => {
    const { code, out, err } = await imlma(...words)
    expect([code, out]).toEqual([exit, ''])
    expect(err).toMatch(expected)
  })
})

test('the program itself does the same, with the exit code of the command', async () => {
  expect(await spawned('status')).toMatchObject({
    code: 0,
    err: '',
    out: expect.stringContaining('site        demo'),
  })
  expect(await spawned('versions', 'nope')).toMatchObject({
    code: 1,
    out: '',
    err: expect.stringMatching(/^UNKNOWN_MODEL: /),
  })
})

test('every command explains itself with an example', async () => {
  for (const words of [['status'], ['rollback'], ['keys', 'new'], ['audit', 'verify']]) {
    const { code, out } = await imlma(...words, '--help')
    expect(code).toBe(0)
    expect(out).toContain(`$ imlma ${words.join(' ')}`)
  }
})

test('retrain hands the reason on and says what runs', async () => {
  expect((await imlma('retrain', '--reason', 'new feeder')).out).toContain('run-7')
  expect(control.asked).toContain('retrain load-day-ahead: new feeder (local operator)')
  expect(await imlma('retrain')).toMatchObject({ code: 1, err: expect.stringMatching(/^BUSY: /) })
})

describe('audit verify', () => {
  test('reads the data directory itself, and finds a changed event', async () => {
    const path = join(dataDir, 'registry.db')
    const head = createHeadFile(join(dataDir, 'registry.head.json'))
    const registry = await openRegistry({ db: openDatabase(path), head })
    await registry.append([{ kind: 'root-accepted', version: 1, envelopeSha256: '0'.repeat(64) }], 1_000)
    await registry.append([{ kind: 'root-accepted', version: 2, envelopeSha256: '1'.repeat(64) }], 2_000)
    await registry.close()
    expect(await imlma('audit', 'verify')).toMatchObject({
      code: 0,
      out: expect.stringContaining('2 events'),
    })

    const recorded = await readFile(join(dataDir, 'registry.head.json'), 'utf8')
    await writeFile(join(dataDir, 'registry.head.json'), recorded.replace(/"hash":"./, '"hash":"f'))
    expect(await imlma('audit', 'verify')).toMatchObject({
      code: 1,
      err: expect.stringMatching(/^CHAIN_BROKEN: /),
    })
  })

  test('asks the control centre that is named', async () => {
    expect((await imlma('audit', 'verify', '--url', server.url)).out).toContain('the chain holds')
  })
})

describe('a technician', () => {
  let broker: Aedes
  let listener: Server
  let root: TrustRoot

  beforeAll(async () => {
    broker = await Aedes.createBroker()
    listener = createServer(broker.handle)
    await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve))
  })

  afterAll(async () => {
    await new Promise<void>((resolve) => broker.close(() => resolve()))
    await new Promise<void>((resolve) => listener.close(() => resolve()))
  })

  beforeEach(() => {
    environment['IMLMA_BROKER'] = `mqtt://127.0.0.1:${(listener.address() as AddressInfo).port}`
  })

  test('gets a key that only its owner can read and that the next trust root names', async () => {
    const { code, out } = await imlma('keys', 'new', '--out', keyPath, '--name', 'A. Nguyen', '--json')
    expect(code).toBe(0)
    const { keyid, rootVersion } = JSON.parse(out) as { keyid: string; rootVersion: number }
    expect(rootVersion).toBe(2)
    expect((await stat(keyPath)).mode & 0o777).toBe(0o600)
    const envelope = envelopeSchema.parse(
      JSON.parse(await readFile(join(dataDir, 'trust', 'roots', '2.json'), 'utf8')),
    )
    root = JSON.parse(atob(envelope.payload)) as TrustRoot
    expect(root.roles.technician.keyids).toEqual([keyid])
    const shown = await imlma('keys', 'show', keyPath)
    expect(shown.out).toContain(keyid)
    const { secret } = JSON.parse(await readFile(keyPath, 'utf8')) as { secret: string }
    expect(shown.out).not.toContain(secret)
    // A key is never overwritten, and a key that could not be enrolled does not stay behind.
    expect(await imlma('keys', 'new', '--out', keyPath)).toMatchObject({
      code: 1,
      err: expect.stringMatching(/^KEY_EXISTS/),
    })
    expect(
      (await imlma('keys', 'new', '--out', join(folder, 'other.key'), '--data-dir', 'nowhere')).code,
    ).toBe(1)
    await expect(stat(join(folder, 'other.key'))).rejects.toThrow('ENOENT')
  })

  /** An agent that answers each command with these states; returns what it was ordered. */
  const startAgent = async (name: string, states: readonly Partial<CommandResult>[]) => {
    const orders: unknown[] = []
    const client = await connectAsync(environment['IMLMA_BROKER'] as string, {
      clientId: `agent:demo:${name}`,
      will: {
        topic: toTopic({ site: 'demo', agent: name }, 'presence'),
        payload: Buffer.from(''),
        retain: true,
        qos: 1,
      },
    })
    const answer = async (topic: string, payload: Buffer, retain: boolean) => {
      const commandId = topic.split('/').at(-1) as string
      const opened = openEnvelope(envelopeSchema.parse(JSON.parse(payload.toString())), {
        payloadType: commandPayloadType,
        schema: commandSchema,
        root,
        role: 'technician',
        verify: verifySignature,
      })
      orders.push({ topic, retain, command: opened.ok ? opened.value : opened.refusal })
      for (const [index, state] of states.entries()) {
        // One after the other, each once the last was told: the first must not be taken for the final one.
        if (index > 0)
          await expect.poll(() => said).toContain(`${name}: ${states[index - 1]?.state ?? 'accepted'}`)
        const result = {
          v: 1,
          commandId,
          state: 'accepted',
          code: null,
          detail: '',
          serving: {},
          at: 1,
          ...state,
        }
        await client.publishAsync(
          toTopic({ site: 'demo', agent: name }, 'result', commandId),
          Buffer.from(encodeJson(result)),
          { qos: 1 },
        )
      }
    }
    client.on('message', (topic, payload, { retain }) => void answer(topic, payload, retain))
    await client.subscribeAsync([`imlma/v1/demo/${name}/command/+`, 'imlma/v1/demo/_all/command/+'], {
      qos: 1,
    })
    const presence = { v: 1, state: 'online', bootId: 'b', agentVersion: '0', capabilities: [], at: 1 }
    await client.publishAsync(
      toTopic({ site: 'demo', agent: name }, 'presence'),
      Buffer.from(encodeJson(presence)),
      { qos: 1, retain: true },
    )
    const stop = async () => {
      await client.publishAsync(toTopic({ site: 'demo', agent: name }, 'presence'), '', {
        qos: 1,
        retain: true,
      })
      await client.endAsync(true)
    }
    return { orders, stop }
  }

  const rollback = (...words: string[]) =>
    imlma('rollback', '--model', 'm', '--key', keyPath, '--reason', 'too low', ...words)

  test('rolls an agent back with nothing but the broker running', async () => {
    environment['IMLMA_URL'] = 'http://127.0.0.1:1'
    const agent = await startAgent('gw-1', [
      {},
      { state: 'executing' },
      { state: 'succeeded', detail: 'version 4 serves', serving: { m: 4 } },
    ])
    const { code, out, err } = await rollback('--agent', 'gw-1')
    expect([code, out]).toEqual([0, expect.stringMatching(/gw-1 +succeeded +v4 +version 4 serves/)])
    expect(err).toMatch(/gw-1: accepted\ngw-1: executing\ngw-1: succeeded/)
    expect(agent.orders).toEqual([
      {
        topic: expect.stringMatching(/^imlma\/v1\/demo\/gw-1\/command\//),
        retain: false,
        command: expect.objectContaining({
          agents: ['gw-1'],
          operation: 'rollback',
          target: 'previous',
          reason: 'too low',
        }),
      },
    ])
    // A second order has a higher counter: the agent would refuse it as a replay otherwise.
    await rollback('--agent', 'gw-1', '--to', '2')
    const counters = agent.orders.map((order) => (order as { command: { counter: number } }).command.counter)
    expect(counters[1]).toBeGreaterThan(counters[0] as number)
    await agent.stop()
  })

  test('is told why an agent refuses', async () => {
    const agent = await startAgent('gw-1', [
      { state: 'refused', code: 'NOT_ON_DISK', detail: 'version 2 is gone' },
    ])
    const { code, err } = await rollback('--agent', 'gw-1', '--to', '2')
    expect(code).toBe(1)
    expect(err).toMatch(/NOT_ON_DISK: gw-1: version 2 is gone\nhint: /)
    await agent.stop()
  })

  test('orders the whole site and waits for every agent that is online', async () => {
    const done = [{ state: 'succeeded' as const, serving: { m: 3 } }]
    const agents = [await startAgent('gw-1', done), await startAgent('gw-2', done)]
    const pending = join(folder, 'all.pending.json')
    const first = await rollback('--all', '--to', '3', '--out', pending)
    expect([first.code, first.out]).toEqual([
      0,
      expect.stringMatching(/^nothing was sent: .* 2 people, 1 signed/),
    ])
    expect(await imlma('approve', pending, '--key', keyPath)).toMatchObject({
      code: 1,
      err: expect.stringContaining('COUNTER_PASSED: '),
    })
    expect(agents.flatMap(({ orders }) => orders)).toEqual([])

    const benPath = join(folder, 'ben.key')
    expect((await imlma('keys', 'new', '--out', benPath, '--name', 'Ben')).code).toBe(0)
    const { code, out, err } = await imlma('approve', pending, '--key', benPath)
    expect(err).toMatch(/rollback of m to 3 at \* of demo, until .*: too low/)
    expect(code).toBe(0)
    expect(out).toMatch(/gw-1 +succeeded +v3[\s\S]*gw-2 +succeeded +v3/)
    expect(agents[1]?.orders).toEqual([
      expect.objectContaining({ command: expect.objectContaining({ agents: ['*'], target: 3 }) }),
    ])
    for (const agent of agents) await agent.stop()
  })

  test('is told when nobody answers, when nobody is there, and when there is no broker', async () => {
    expect(await rollback('--agent', 'gw-9', '--timeout', '0.3')).toMatchObject({
      code: 3,
      err: expect.stringContaining('NO_ANSWER: '),
    })
    // Two people at one keyboard need no file.
    const together = `${keyPath},${join(folder, 'ben.key')}`
    expect(await rollback('--all', '--key', together)).toMatchObject({
      code: 1,
      err: expect.stringContaining('NO_AGENT: '),
    })
    environment['IMLMA_BROKER'] = 'mqtt://127.0.0.1:1'
    expect(await rollback('--agent', 'gw-1')).toMatchObject({
      code: 3,
      err: expect.stringContaining('BROKER_UNREACHABLE: '),
    })
  })

  test('has to name whom the order is for', async () => {
    expect((await rollback()).code).toBe(2)
    expect((await rollback('--agent', 'gw-1', '--all')).code).toBe(2)
    expect((await rollback('--agent', 'gw 1')).code).toBe(2)
    expect((await rollback('--agent', 'gw-1', '--to', 'yesterday')).code).toBe(2)
  })
})
