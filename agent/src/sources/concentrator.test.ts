import { once } from 'node:events'
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { Aedes } from 'aedes'
import { encodeCbor } from '@imlma/protocol/wire'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { createConcentratorSource } from './concentrator.mqtt.ts'
import { mqttSchema } from './config-kinds.ts'
import type { Source } from './source.ts'
import { createTestStore } from './testing/store.sqlite.ts'
import { parseTopicPattern } from './topic-pattern.ts'

const start = Date.UTC(2026, 0, 1)
const interval = 900_000

describe('a topic pattern', () => {
  test.each([
    ['site/{meter}/power', 'site/+/power', 'site/m-1/power', { meter: 'm-1' }],
    ['{which}/{meter}/#', '+/+/#', 'p/m/x/y', { which: 'p', meter: 'm' }],
    ['a/+', 'a/+', 'a/b', {}],
    ['a/{meter}', 'a/+', 'a/b/c', undefined],
    ['a/{meter}/#', 'a/+/#', 'a', undefined],
    ['a/b', 'a/b', 'a/c', undefined],
  ])('%s asks for %s, and %s says %j', (pattern, filter, topic, said) => {
    expect(parseTopicPattern(pattern)?.filter).toBe(filter)
    expect(parseTopicPattern(pattern)?.match(topic)).toEqual(said)
  })

  test.each(['', 'a/#/b', 'a{meter}', '{meter}/{meter}', '{other}', 'a+/b', 'a\0'])('%j is none', (pattern) =>
    expect(parseTopicPattern(pattern)).toBeUndefined(),
  )
})

describe('a concentrator at a real broker', () => {
  let store: ReturnType<typeof createTestStore>
  let broker: Aedes
  let server: Server
  let port = 0
  const sockets = new Set<Socket>()
  const running: Source[] = []

  beforeEach(async () => {
    store = createTestStore()
    broker = await Aedes.createBroker({ concurrency: 0 })
    server = createServer((socket) => {
      sockets.add(socket.on('close', () => sockets.delete(socket)))
      broker.handle(socket)
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    port = (server.address() as AddressInfo).port
  })
  afterEach(async () => {
    for (const source of running.splice(0)) await source.stop()
    for (const socket of sockets) socket.destroy()
    await new Promise((resolve) => {
      server.close(resolve)
    })
    await new Promise<void>((resolve) => broker.close(resolve))
    store.close()
  })

  const listen = (
    { isTimed = true, ...options }: { readonly isTimed?: boolean; readonly [field: string]: unknown } = {},
    sink: Parameters<typeof createConcentratorSource>[0]['sink'] = store.outbox,
  ) => {
    const source = createConcentratorSource(
      { sink, onFailure: () => undefined },
      {
        ...mqttSchema.parse({
          kind: 'mqtt',
          name: 'concentrator',
          url: `mqtt://127.0.0.1:${port}`,
          topic: 'meters/{meter}',
          ...(isTimed && { at: 'ts' }),
          values: [{ field: 'p.kw', register: 'r' }],
          ...options,
        }),
        delayMsMin: 10,
        delayMsMax: 20,
      },
    )
    running.push(source)
    source.start()
    return source
  }

  const publish = (topic: string, payload: string | Uint8Array, retain = false): Promise<void> =>
    new Promise((resolve, reject) => {
      const packet = {
        cmd: 'publish',
        topic,
        payload: Buffer.from(payload),
        qos: 1,
        retain,
        dup: false,
      } as const
      broker.publish(packet, (cause) => (cause ? reject(cause) : resolve()))
    })
  const reading = (slot: number, kw: number = slot): string =>
    JSON.stringify({ ts: start + slot * interval, p: { kw } })
  const values = (): readonly number[] => store.readings().map(({ value }) => value)

  test('publishes JSON, and CBOR, by the configured fields', async () => {
    const json = listen()
    const cbor = listen({
      name: 'packed',
      topic: 'packed/#',
      format: 'cbor',
      items: 'r',
      meter: 'm',
      at: 't',
      values: [{ field: '0', register: 'r', unit: 'W', to: 'kW' }],
    })
    await vi.waitFor(() => expect([json.state(), cbor.state()]).toEqual(['live', 'live']))
    await publish('meters/m-1', reading(0, 1.5))
    await publish(
      'packed/x',
      encodeCbor({
        r: [
          { m: 7, t: new Date(start), 0: 2_500 },
          { m: 'b', t: start / 1_000, 0: null },
        ],
      }),
    )
    await vi.waitFor(() => expect(store.readings()).toHaveLength(2))
    const byValue = store.readings().toSorted((a, b) => a.value - b.value)
    expect(byValue).toEqual([
      { meter: 'm-1', register: 'r', at: start, value: 1.5, quality: 0 },
      { meter: '7', register: 'r', at: start, value: 2.5, quality: 0 },
    ])
  })

  test('is heard again after the connection broke, with what it sent meanwhile, each reading once', async () => {
    const source = listen()
    await vi.waitFor(() => expect(source.state()).toBe('live'))
    await publish('meters/m', reading(0))
    await vi.waitFor(() => expect(values()).toEqual([0]))
    for (const socket of sockets) socket.destroy()
    await publish('meters/m', reading(1))
    await vi.waitFor(() => expect(values()).toEqual([0, 1]))
    await source.stop()
    await publish('meters/m', reading(2))
    await publish('meters/m', reading(2))
    listen()
    await vi.waitFor(() => expect(values()).toEqual([0, 1, 2]))
    expect(source.figures?.().interruptions).toBe(1)
  })

  test('is not acknowledged while the store takes nothing, and sends again', async () => {
    let isFull = true
    const { append, position } = store.outbox
    const { Failure } = await import('@imlma/protocol/result')
    const source = listen(
      {},
      {
        position,
        append: (...given) => {
          if (isFull) throw new Failure('NO_SPACE', 'full', { retryable: true })
          append(...given)
        },
      },
    )
    await vi.waitFor(() => expect(source.state()).toBe('live'))
    await publish('meters/m', reading(0))
    await vi.waitFor(() => expect(source.figures?.().interruptions).toBeGreaterThan(1))
    isFull = false
    await vi.waitFor(() => expect(values()).toEqual([0]))
    await vi.waitFor(() => expect(source.state()).toBe('live'))
  })

  test('may publish what it likes: what cannot be read is counted, and what can is stored', async () => {
    const source = listen()
    await vi.waitFor(() => expect(source.state()).toBe('live'))
    const good = new Set<number>()
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(fc.json(), fc.string(), fc.uint8Array()),
        fc.nat(2_000),
        async (noise, slot) => {
          await publish('meters/m', noise)
          await publish('meters/m', reading(slot))
          good.add(slot)
        },
      ),
      { seed: 13, numRuns: 100 },
    )
    await vi.waitFor(() => expect(source.figures?.().samples).toBeGreaterThanOrEqual(100))
    expect(new Set(values())).toEqual(good)
    expect(source.figures?.().malformed).toBeGreaterThanOrEqual(100)
    expect(source.state()).toBe('live')
  })

  test('a retained message without a time is nobody knows how old', async () => {
    await publish('meters/m', '{"p":{"kw":1}}', true)
    const source = listen({
      isTimed: false,
      values: [{ field: 'p.kw', register: 'r', aggregate: 'last' }],
    })
    await vi.waitFor(() => expect(source.figures?.().rejects).toMatchObject([{ code: 'RETAINED' }]))
    expect(values()).toEqual([])
  })
})
