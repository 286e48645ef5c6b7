import { once } from 'node:events'
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import fc from 'fast-check'
import { server as modbus } from 'jsmodbus'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { modbusSchema } from '../config-kinds.ts'
import type { Source } from '../source.ts'
import { createTestStore } from '../testing/store.sqlite.ts'
import { decodePoint, pointSchema, pointTypes, toReads, type Point } from './points.ts'
import { createModbusSource } from './poll.modbus.ts'

const point = (given: object): Point => pointSchema.parse({ register: 'r', ...given })

describe('points', () => {
  test('neighbours are read together, up to 125 registers, and no register that nobody named', () => {
    const points = [
      point({ address: 10, type: 'float32' }),
      point({ address: 0 }),
      point({ address: 1, type: 'int32' }),
      point({ address: 3, kind: 'input' }),
      point({ address: 12, type: 'uint64' }),
    ]
    expect(toReads(points)).toEqual([
      { kind: 'holding', address: 0, length: 3, points: [1, 2] },
      { kind: 'holding', address: 10, length: 6, points: [0, 4] },
      { kind: 'input', address: 3, length: 1, points: [3] },
    ])
    const many = Array.from({ length: 100 }, (_, i) => point({ address: 2 * i, type: 'float32' }))
    expect(toReads(many).map(({ length }) => length)).toEqual([124, 76])
  })

  test('every point lies in exactly one read, whole, whatever is configured', () => {
    const types = Object.keys(pointTypes) as (keyof typeof pointTypes)[]
    const some = fc.record({
      address: fc.integer({ min: 0, max: 600 }),
      type: fc.constantFrom(...types),
      kind: fc.constantFrom('holding', 'input'),
    })
    fc.assert(
      fc.property(fc.array(some, { minLength: 1, maxLength: 60 }), (given) => {
        const points = given.map(point)
        const reads = toReads(points)
        expect(reads.flatMap((each) => each.points).toSorted((a, b) => a - b)).toEqual(
          points.map((_, i) => i),
        )
        for (const read of reads) {
          expect(read.length).toBeLessThanOrEqual(125)
          const bytes = new Uint8Array(read.length * 2).fill(1)
          for (const i of read.points)
            expect(decodePoint(points[i] as Point, bytes, read.address)).toBeDefined()
        }
      }),
      { seed: 2, numRuns: 200 },
    )
  })

  test.each([
    ['int16', [0xff, 0xfe], -2],
    ['uint16', [0xff, 0xfe], 65_534],
    ['int32', [0xff, 0xff, 0xff, 0xfe], -2],
    ['uint32', [0, 1, 0, 2], 65_538],
    ['uint64', [0, 0, 0, 1, 0, 0, 0, 0], 4_294_967_296],
    ['int64', [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], -1],
    ['float32', [0x42, 0x28, 0, 0], 42],
    ['float64', [0x40, 0x45, 0, 0, 0, 0, 0, 0], 42],
    ['float32', [0x7f, 0xc0, 0, 0], undefined],
    ['uint32', [0, 1], undefined],
  ] as const)('%s %j is %s', (type, bytes, value) => {
    expect(decodePoint({ address: 7, type, words: 'high-first' }, Uint8Array.from(bytes), 7)).toBe(value)
  })

  test('words come low first where the device does it so', () => {
    expect(
      decodePoint({ address: 0, type: 'uint32', words: 'low-first' }, Uint8Array.of(0, 2, 0, 1), 0),
    ).toBe(65_538)
  })
})

describe('a Modbus server on loopback', () => {
  let store: ReturnType<typeof createTestStore>
  let listener: Server
  let port: number
  const holding = Buffer.alloc(64)
  const sockets = new Set<Socket>()
  const running: Source[] = []

  beforeEach(async () => {
    store = createTestStore()
    listener = createServer()
    listener.on('connection', (socket) => sockets.add(socket))
    // The second of them has no registers: it answers with an exception.
    void new modbus.TCP(listener, { holding, input: Buffer.alloc(2) })
    listener.listen(0, '127.0.0.1')
    await once(listener, 'listening')
    port = (listener.address() as AddressInfo).port
  })
  afterEach(async () => {
    for (const source of running.splice(0)) await source.stop()
    for (const socket of sockets) socket.destroy()
    sockets.clear()
    listener.close()
    store.close()
  })

  const start = (options: object = {}): Source => {
    const source = createModbusSource(
      {
        sink: store.outbox,
        onFailure: () => undefined,
      },
      {
        ...modbusSchema.parse({
          kind: 'modbus',
          name: 'device',
          host: '127.0.0.1',
          port,
          meter: 'feeder-1',
          everyMs: 1_000,
          timeoutMs: 500,
          values: [
            {
              address: 0,
              type: 'float32',
              register: 'power',
              unit: 'W',
              to: 'kW',
              intervalMs: 1_000,
              graceMs: 0,
            },
            { address: 2, type: 'uint32', register: 'energy', scale: 0.1, intervalMs: 1_000 },
          ],
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

  test('gives its registers, scaled and in the units that are wanted', async () => {
    holding.writeFloatBE(1_500, 0)
    holding.writeUInt32BE(1_234, 4)
    start()
    await vi.waitFor(() => expect(store.readings()).toHaveLength(2))
    expect(store.readings().map(({ meter, register, value }) => [meter, register, value.toFixed(3)])).toEqual(
      [
        ['feeder-1', 'power', '1.500'],
        ['feeder-1', 'energy', '123.400'],
      ],
    )
    holding.writeFloatBE(2_500, 0)
    await vi.waitFor(() => expect(store.readings().length).toBeGreaterThanOrEqual(4), 3_000)
    const [first, , second] = store.readings()
    expect(second).toMatchObject({ register: 'power', value: 2.5, at: (first?.at ?? 0) + 1_000 })
  })

  test('is come back to when it went', async () => {
    const source = start()
    await vi.waitFor(() => expect(source.figures?.().samples).toBeGreaterThan(0), 3_000)
    for (const socket of sockets) socket.destroy()
    await vi.waitFor(() => expect(source.figures?.().interruptions).toBe(1), 3_000)
    const before = source.figures?.().samples ?? 0
    await vi.waitFor(() => expect(source.figures?.().samples).toBeGreaterThan(before), 3_000)
    expect(source.state()).toBe('live')
  })

  test('that refuses a register is counted, and its others are read', async () => {
    const source = start({
      values: [
        { address: 0, register: 'good', intervalMs: 1_000 },
        { address: 30_000, register: 'bad', intervalMs: 1_000 },
      ],
    })
    await vi.waitFor(() => expect(source.figures?.().malformed).toBeGreaterThan(1), 4_000)
    expect(new Set(store.readings().map(({ register }) => register))).toEqual(new Set(['good']))
    expect(source.figures?.().interruptions).toBe(0)
  })
})
