import { once } from 'node:events'
import { appendFileSync, writeFileSync } from 'node:fs'
import { createServer, type AddressInfo, type Socket } from 'node:net'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { dsmrSchema } from '../config-kinds.ts'
import type { Source } from '../source.ts'
import { createTestStore } from '../testing/store.sqlite.ts'
import { crc16 } from './crc16.ts'
import { createP1Source } from './p1.net.ts'
import { parseTelegram, parseTimestamp } from './telegram.ts'
import { createTelegramStream } from './telegram-stream.ts'

const bytesOf = (text: string): Uint8Array => Buffer.from(text, 'latin1')

const seal = (body: string): string =>
  `${body}${crc16(bytesOf(body)).toString(16).padStart(4, '0').toUpperCase()}\r\n`

const stamp = (minute: number): string =>
  `2601011${Math.floor(minute / 60)}${String(minute % 60).padStart(2, '0')}00W`

const telegram = (minute: number, kwh: number): string =>
  seal(
    [
      '/ISk5\\2MT382-1000',
      '',
      '1-3:0.2.8(50)',
      `0-0:1.0.0(${stamp(minute)})`,
      '0-0:96.1.1(4B384547303034303436333935353037)',
      `1-0:1.8.1(${(100 + kwh).toFixed(3).padStart(10, '0')}*kWh)`,
      '1-0:1.8.2(000200.000*kWh)',
      '0-0:96.14.0(0002)',
      '1-0:1.7.0(01.193*kW)',
      '1-0:99.97.0(2)(0-0:96.7.19)(101208152415W)(0000000240*s)(101208151004W)(0000000301*s)',
      `0-1:24.2.1(${stamp(minute)})(12785.123*m3)`,
      '!',
    ].join('\r\n'),
  )

test('the checksum is that of CRC-16/ARC', () => {
  // The check value of the catalogue of parametrised CRC algorithms.
  expect(crc16(bytesOf('123456789'))).toBe(0xbb3d)
})

test('a telegram says its values, its time and its meter', () => {
  const { values, at, equipment } = parseTelegram(telegram(0, 0.5))
  expect(at).toBe(Date.UTC(2026, 0, 1, 9))
  expect(equipment).toBe('K8EG004046395507')
  expect(values.get('1-0:1.8.1')).toEqual({ value: 100.5, unit: 'kWh', at: undefined })
  expect(values.get('0-1:24.2.1')).toEqual({ value: 12_785.123, unit: 'm3', at: Date.UTC(2026, 0, 1, 9) })
  expect(values.has('1-0:99.97.0')).toBe(false)
})

test.each([
  ['260701120000S', Date.UTC(2026, 6, 1, 10)],
  ['261025023000S', Date.UTC(2026, 9, 25, 0, 30)],
  ['261025023000W', Date.UTC(2026, 9, 25, 1, 30)],
  ['260230120000W', undefined],
  ['260101240000W', undefined],
  ['260101120000', undefined],
])('%s is %s', (text, at) => expect(parseTimestamp(text)).toBe(at))

describe('a stream of telegrams', () => {
  test('is the same however it is cut', () => {
    const all = bytesOf([0, 1, 2].map((minute) => telegram(minute, minute)).join(''))
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 400 }), { minLength: 1 }), (cuts) => {
        const stream = createTelegramStream({ isChecked: true })
        const found: boolean[] = []
        for (let from = 0, i = 0; from < all.length; i++) {
          const to = from + (cuts[i % cuts.length] as number)
          found.push(...stream.push(all.subarray(from, to)).map(({ ok }) => ok))
          from = to
        }
        expect(found).toEqual([true, true, true])
      }),
      { seed: 3, numRuns: 50 },
    )
  })

  test('no flipped byte of a telegram is taken for a reading, and the next telegram is read', () => {
    const good = bytesOf(telegram(0, 1))
    const next = bytesOf(telegram(1, 2))
    const text = Buffer.from(next).toString('latin1').split('!')[0]
    fc.assert(
      fc.property(fc.nat(good.length - 3), fc.integer({ min: 1, max: 255 }), (place, mask) => {
        const bad = good.slice()
        bad[place] = (bad[place] as number) ^ mask
        const results = createTelegramStream({ isChecked: true }).push(Buffer.concat([bad, next, next]))
        const taken = results.flatMap((each) => (each.ok ? [each.value.split('!')[0]] : []))
        // A checksum in small letters is the same checksum.
        const honest = Buffer.from(good).toString('latin1').split('!')[0]
        expect(taken.filter((each) => each !== honest)).toEqual(taken.filter((each) => each === text))
        expect(taken).toContain(text)
      }),
      { seed: 5, numRuns: 500 },
    )
  })

  test('random bytes never throw, and hold no more than a telegram', () => {
    const stream = createTelegramStream({ isChecked: true })
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 4_000 }), (bytes) => {
        for (const each of stream.push(bytes)) if (each.ok) parseTelegram(each.value)
      }),
      { seed: 9, numRuns: 300 },
    )
    expect(createTelegramStream({ isChecked: true }).push(bytesOf(`/${'x'.repeat(20_000)}`))).toMatchObject([
      { refusal: { code: 'TOO_LONG' } },
    ])
  })

  test('without a checksum is refused where it is expected, and read where it is not', () => {
    const old = bytesOf('/KMP5 old\r\n\r\n1-0:1.8.1(00001.000*kWh)\r\n!\r\n')
    expect(createTelegramStream({ isChecked: true }).push(old)).toMatchObject([
      { refusal: { code: 'NO_CRC' } },
    ])
    expect(createTelegramStream({ isChecked: false }).push(old)).toMatchObject([{ ok: true }])
  })
})

describe('a P1 port', () => {
  let store: ReturnType<typeof createTestStore>
  const running: Source[] = []
  beforeEach(() => {
    store = createTestStore()
  })
  afterEach(async () => {
    for (const source of running.splice(0)) await source.stop()
    store.close()
  })

  const start = (options: object): Source => {
    const source = createP1Source(
      { sink: store.outbox, onFailure: () => undefined },
      {
        ...dsmrSchema.parse({
          kind: 'dsmr',
          name: 'p1',
          values: [
            {
              obis: ['1-0:1.8.1', '1-0:1.8.2'],
              register: '1-0:1.29.0',
              unit: 'kWh',
              aggregate: 'difference',
              sampleEveryMs: 300_000,
            },
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

  test('over TCP gives energy of both tariffs, over a broken connection and a broken telegram', async () => {
    const sockets: Socket[] = []
    const server = createServer((socket) => sockets.push(socket.on('error', () => undefined))).listen(
      0,
      '127.0.0.1',
    )
    await once(server, 'listening')
    try {
      const source = start({ host: '127.0.0.1', port: (server.address() as AddressInfo).port })
      await vi.waitFor(() => expect(sockets).toHaveLength(1))
      for (const minute of [0, 5, 10]) sockets[0]?.write(telegram(minute, minute / 10), 'latin1')
      await vi.waitFor(() => expect(source.figures?.().samples).toBe(3))
      sockets[0]?.write(telegram(12, 50).replace('150', '950'), 'latin1')
      await vi.waitFor(() =>
        expect(source.figures?.().rejects).toMatchObject([{ code: 'BAD_CRC', count: 1 }]),
      )
      sockets[0]?.destroy()
      await vi.waitFor(() => expect(sockets).toHaveLength(2))
      // Joined in the middle of a telegram.
      sockets[1]?.write(telegram(13, 9).slice(90), 'latin1')
      for (const minute of [15, 20, 25, 30, 35]) sockets[1]?.write(telegram(minute, minute / 10), 'latin1')
      await vi.waitFor(() => expect(store.readings()).toHaveLength(2), 4_000)
      const base = Date.UTC(2026, 0, 1, 9)
      expect(
        store.readings().map(({ meter, at, quality }) => [meter, (at - base) / 900_000, quality]),
      ).toEqual([
        ['K8EG004046395507', 0, 0],
        ['K8EG004046395507', 1, 0],
      ])
      for (const { value } of store.readings()) expect(value).toBeCloseTo(1.5)
      expect(source.figures?.().interruptions).toBe(1)
    } finally {
      for (const socket of sockets) socket.destroy()
      server.close()
    }
  })

  test('from a device that is a file', async () => {
    const device = join(store.folder, 'ttyP1')
    writeFileSync(device, telegram(0, 0), 'latin1')
    appendFileSync(device, telegram(16, 1), 'latin1')
    appendFileSync(device, telegram(31, 2), 'latin1')
    const source = start({ device, meter: 'house' })
    await vi.waitFor(() => expect(store.readings()).toHaveLength(2), 4_000)
    expect(store.readings()[0]?.meter).toBe('house')
    await vi.waitFor(() => expect(source.figures?.().repeated).toBeGreaterThan(0))
  })
})
