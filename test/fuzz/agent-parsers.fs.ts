/** What an agent reads from outside: assignments, commands, posted readings, files, inference requests. */

import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import {
  admitCommand,
  admitDesired,
  admitManifest,
  claimedDesired,
  claimedManifest,
  createTelegramStream,
  inspectFile,
  parseBrokerUrl,
  parseConfiguration,
  parseEntry,
  parsePosition,
  parsePosted,
  parseTelegram,
  tellingApp,
  toSamples,
} from '@imlma/agent/testing/parsers'
import { manifestPayloadType } from '@imlma/protocol/manifest'
import { verifySignature } from '@imlma/protocol/node'
import { desiredPayloadType, parseEnvelope, toBase64, type Envelope } from '@imlma/protocol/trust'
import { readingSeriesSchema } from '@imlma/protocol/wire'
import { genuine, json, keeping, orUndefined, stable, text, toDocument, utf8, type Parser } from './parser.ts'
import * as honest from './samples.crypto.ts'

const clock = { now: () => honest.now, trusted: () => true, prove: () => undefined, follow: () => undefined }
const terms = { ...honest, verify: verifySignature, clock, desiredCounter: 0, desiredSigners: [] }

const fromEnvelope =
  <Value>(open: (envelope: Envelope) => Value | undefined) =>
  (bytes: Uint8Array): Value | undefined => {
    const parsed = parseEnvelope(bytes)
    return parsed.ok ? open(parsed.value) : undefined
  }
/** Whoever signs again, or is named otherwise, changes nothing about what was decided. */
const desired = fromEnvelope((envelope) => {
  const admitted = orUndefined(admitDesired(envelope, terms))
  const manifests = admitted?.models.map(({ model, entry }) => [model, entry.ok && entry.value.manifest])
  return admitted && { counter: admitted.counter, shadows: admitted.shadows, manifests }
})
const manifest = fromEnvelope((envelope) => orUndefined(admitManifest('load', envelope, terms))?.manifest)
const command = (payload: Uint8Array) => {
  const decision = orUndefined(
    admitCommand({ id: 'c-1', payload, retained: false }, { ...terms, ledger: { known: [], highest: {} } }),
  )
  return decision?.kind === 'new' ? decision.command : undefined
}
const payload = (payloadType: string, bytes: Uint8Array): Envelope => ({
  payloadType,
  payload: toBase64(bytes),
  signatures: [],
})
const payloadOf = (envelope: { readonly payload: string }) =>
  Uint8Array.from(Buffer.from(envelope.payload, 'base64'))

const posted = (bytes: Uint8Array) =>
  orUndefined(parsePosted(toDocument(bytes), { register: '1-0:1.8.0', intervalMs: 900_000 }))

const configuration = {
  sources: [
    { kind: 'simulated', name: 'feed', meters: 3, speed: 60 },
    { kind: 'replay', name: 'file', path: 'load.csv', registers: { load: '1-0:1.8.0' } },
  ],
  reportEveryMs: 1_000,
}

/** An answer's body, as text or as bytes. */
const said = (body: string | Uint8Array): string => (typeof body === 'string' ? body : text(body))

const inference = { inputs: [{ name: 'features', shape: [1, 2], datatype: 'FP32', data: [1, 2] }] }

const telegram = utf8(
  [
    '/ISk5\\2MT382-1000',
    '',
    '0-0:1.0.0(101209113020W)',
    '1-0:1.8.1(123456.789*kWh)',
    '0-1:24.2.1(101209112500W)(12785.123*m3)',
    '!\r\n',
  ].join('\r\n'),
)
/** Of a meter without checksums, so that what is inside is read, too; cut in two, the stream says the same. */
const telegrams = (bytes: Uint8Array) => {
  const read = (...pieces: readonly Uint8Array[]) => {
    const stream = createTelegramStream({ isChecked: false })
    return pieces.flatMap(stream.push).flatMap((found) => (found.ok ? [parseTelegram(found.value)] : []))
  }
  const [whole, half] = [read(bytes), bytes.length >> 1]
  const cut = read(bytes.subarray(0, half), bytes.subarray(half))
  return whole.length === 0 && cut.length === 0 ? undefined : { whole, cut }
}

const mapping = {
  items: 'readings',
  meter: 'id',
  at: 'time',
  quality: 'q',
  stamped: 'start',
  values: [
    { field: 'power.active', register: '1-0:1.7.0' },
    { field: 'energy', register: '1-0:1.8.0' },
  ],
} as unknown as Parameters<typeof toSamples>[1]
const samples = (bytes: Uint8Array) => {
  const extract = toSamples(toDocument(bytes), mapping, { receivedAt: honest.now })
  return extract.samples.length > 0 ? extract.samples : undefined
}

/** Requests to the local API: first line the method and the path, then the body. */
const httpParser = (): Parser => {
  const { app, failures } = tellingApp()
  const asked = (line: string, body: unknown = '') =>
    utf8(`${line}\n${typeof body === 'string' ? body : JSON.stringify(body)}`)
  return {
    name: 'local API',
    cost: 3,
    samples: [
      asked('POST /v2/models/load/infer', inference),
      asked('POST /v2/models/load/infer', { ...inference, id: 'x', outputs: [{ name: 'forecast' }] }),
      asked('POST /readings?historical=true', { meter: 'm-1', at: '2026-01-01T00:00:00Z', value: 1 }),
      asked('GET /forecasts?model=load&limit=3'),
      asked('GET /v2/models/load'),
    ],
    judge: async (bytes) => {
      const end = bytes.indexOf(10)
      const [method = '', url = ''] = text(bytes.subarray(0, Math.max(0, end))).split(' ')
      const before = failures.length
      const answer = await app.answer({ method, url, body: bytes.subarray(end + 1) })
      if (failures.length > before) throw failures.at(-1)
      const document =
        answer.headers['content-type']?.includes('json') === true ? JSON.parse(said(answer.body)) : undefined
      if (answer.status >= 500) return { wrong: `answered with ${answer.status}` }
      if (answer.status < 400) return 'accepted'
      return typeof (document as { code?: unknown }).code === 'string'
        ? 'refused'
        : { wrong: 'refused without a code' }
    },
  }
}

export const agentParsers = (folder: string): readonly Parser[] => [
  { name: 'assignment, signed', ...genuine(desired, honest.desiredPayloads) },
  {
    name: 'manifest, signed',
    ...genuine(
      manifest,
      honest.released.map(({ envelope }) => json(envelope)),
    ),
  },
  {
    name: 'command, signed',
    ...genuine(
      command,
      honest.commands.map((each) => each.payload),
    ),
  },
  {
    name: 'assignment, payload',
    samples: honest.desiredPayloads.map((bytes) => payloadOf(JSON.parse(text(bytes)) as Envelope)),
    judge: stable((bytes) => claimedDesired(payload(desiredPayloadType, bytes)), json),
  },
  {
    name: 'manifest, payload',
    samples: honest.released.map(({ envelope }) => payloadOf(envelope)),
    judge: stable((bytes) => claimedManifest(payload(manifestPayloadType, bytes)), json),
  },
  {
    name: 'posted readings',
    samples: [
      json({ meter: 'm-1', at: '2026-01-01T00:00:00+01:00', value: 3.5 }),
      json([
        { meter: 'm-1', at: 0, value: 1, quality: 1 },
        { meter: 'm-1', at: 900_000, value: null, quality: 0 },
        { meter: 'm-2', start: 0, values: [1, 2, null], interval: 900_000, register: '1-0:2.8.0' },
      ]),
    ],
    judge: keeping(posted, (series) =>
      series.every((column) => readingSeriesSchema.safeParse(column).success)
        ? undefined
        : 'a series of another form',
    ),
  },
  {
    name: 'telegram of a smart meter',
    samples: [telegram, Uint8Array.of(...telegram, ...telegram)],
    judge: keeping(telegrams, ({ whole, cut }) => {
      if (!isDeepStrictEqual(whole, cut)) return 'cut in two, it says something else'
      const values = whole.flatMap((each) => [...each.values.values()])
      return values.every(({ value }) => Number.isFinite(value)) ? undefined : 'a value that is no number'
    }),
  },
  {
    name: 'document of a concentrator',
    samples: [
      json({ readings: [{ id: 'm-1', time: honest.now, q: 1, power: { active: 3.5 }, energy: '12.5' }] }),
      json({
        readings: [
          { id: 7, time: '2026-01-01T00:00:00Z', energy: 1 },
          { id: 'm-2', energy: 2 },
        ],
      }),
    ],
    judge: keeping(samples, (all) =>
      all.every(
        ({ meter, at, value, quality = 0 }) =>
          meter.length > 0 &&
          meter.length <= 64 &&
          Number.isFinite(at + value) &&
          quality >= 0 &&
          quality <= 4,
      )
        ? undefined
        : 'a sample of another form',
    ),
  },
  {
    name: 'agent configuration',
    samples: [json(configuration), json({})],
    judge: stable((bytes) => orUndefined(parseConfiguration(text(bytes))), json),
  },
  {
    name: 'feed position',
    samples: [json({ liveFrom: 1, next: 2 })],
    judge: stable((bytes) => parsePosition(text(bytes)), json),
  },
  {
    name: 'audit log line',
    samples: [json(honest.auditEntry)],
    judge: stable((bytes) => parseEntry(text(bytes)), json),
  },
  {
    name: 'broker address',
    samples: [utf8('mqtt://127.0.0.1:1883'), utf8('mqtts://broker.example:8883'), utf8('ws://localhost/x')],
    judge: keeping(
      (bytes) => orUndefined(parseBrokerUrl(text(bytes))),
      ({ url, encrypted }) =>
        encrypted ||
        ['localhost', '[::1]'].includes(new URL(url).hostname) ||
        new URL(url).hostname.startsWith('127.')
          ? undefined
          : 'plain MQTT to another machine',
    ),
  },
  {
    name: 'file of readings',
    cost: 40,
    samples: [
      utf8(
        `time,m-1,m-2\n${Array.from({ length: 8 }, (_, hour) => `2026-01-01T0${hour}:00:00Z,${hour}.5,${hour}\n`).join('')}`,
      ),
      utf8(
        `timestamp;load\n${Array.from({ length: 8 }, (_, hour) => `01.02.2026 0${hour}:00;${hour},5\n`).join('')}`,
      ),
    ],
    judge: async (bytes) => {
      const path = join(folder, 'readings.csv')
      await writeFile(path, bytes)
      const found = await inspectFile(path)
      if (!found.ok) return 'refused'
      const { firstAt, lastAt } = found.value
      return Number.isSafeInteger(firstAt) && firstAt <= lastAt
        ? 'accepted'
        : { wrong: `from ${firstAt} to ${lastAt}` }
    },
  },
  httpParser(),
]
