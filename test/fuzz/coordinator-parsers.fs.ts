/** What the control centre reads from outside: requests, uploads, certificate requests, files that people write. */

import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import {
  checkModelFile,
  createPacketBound,
  createTestApp,
  decodeSnapshot,
  definitionsSchema,
  encodeSnapshot,
  letIn,
  openTestPeople,
  parseContractFile,
  parseGuest,
  parseIdentity,
  parseModelFile,
  parseRange,
  parseSigningRequest,
  parseTask,
  parseUri,
  readTable,
  requestBy,
  testPassword,
} from '@imlma/coordinator/testing/parsers'
import { Failure } from '@imlma/protocol/result'
import { isName } from '@imlma/protocol/wire'
import { json, keeping, orUndefined, signed, stable, text, toDocument, utf8, type Parser } from './parser.ts'
import * as honest from './samples.crypto.ts'

const hourMs = 3_600_000
const definition = {
  name: 'load',
  quantity: 'active energy',
  unit: 'kWh',
  register: '1-0:1.29.0',
  intervalMs: hourMs,
  horizon: 24,
  trigger: { volume: 1, intervalMs: hourMs, readingsMin: 100 },
}
const [parsedDefinition] = definitionsSchema.parse([definition])
if (parsedDefinition === undefined) throw new Error('a list of one definition has one')

const contractFile = {
  features: { shared: [{ kind: 'lags', lags: [1, 2, 24] }] },
  trainedUntil: '2026-03-01T01:00:00+01:00',
  framework: 'scikit-learn 1.8',
  author: 'load research',
}
const task = {
  name: 'load',
  data: 'load.csv',
  time: { column: 'time' },
  intervalMinutes: 60,
  targets: ['load'],
  context: 24,
  horizon: 24,
  split: { by: 'share', validation: 0.2, test: 0.2 },
}
const range = { start: 0, end: 4 * hourMs }
const snapshot = encodeSnapshot({
  v: 1,
  model: 'load',
  site: honest.site,
  series: [
    {
      meter: 'm-1',
      register: '1-0:1.29.0',
      intervalMs: hourMs,
      start: 0,
      values: Float32Array.of(1, Number.NaN, 3),
    },
  ],
  covariates: [],
  window: range,
  trainEnd: 2 * hourMs,
  evaluation: { start: 2 * hourMs, end: 4 * hourMs },
  provenance: [{ agent: honest.agent, firstSeq: 1, lastSeq: 3 }],
})

const keyOf = (bytes: Uint8Array): string | undefined => {
  const key = orUndefined(parseSigningRequest(text(bytes)))
  return key?.export({ type: 'spki', format: 'der' }).toString('hex')
}
const requests = [utf8(requestBy('gw-1').csrPem), utf8(requestBy('gw-2').csrPem)]

const connectPacket = Uint8Array.of(
  0x10,
  0x10,
  0,
  4,
  0x4d,
  0x51,
  0x54,
  0x54,
  4,
  2,
  0,
  60,
  0,
  4,
  0x67,
  0x77,
  0x2d,
  0x31,
)
const publishPacket = Uint8Array.of(0x30, 5, 0, 1, 0x61, 1, 2)
const packetBounds = { publishBytesMax: 1_000, otherBytesMax: 200 }

/** Requests to the API of somebody who may do everything: first line method and path, then the body. */
const apiParser = async (): Promise<Parser> => {
  const { people } = await openTestPeople()
  await letIn(people, 'ada', 'administrator')
  const token = people.localToken('administer')
  const { app, errors } = createTestApp({}, {}, undefined, people)
  const asked = (line: string, body?: unknown) =>
    utf8(`${line}\n${body === undefined ? '' : JSON.stringify(body)}`)
  const model = '/api/v1/models/load-day-ahead'
  return {
    name: 'API',
    cost: 8,
    samples: [
      asked(`GET ${model}/versions/3`),
      asked(`GET ${model}/compare?a=1&b=2`),
      asked(`GET ${model}/forecasts?meter=m-1`),
      asked('GET /api/v1/alerts?limit=10'),
      asked('GET /api/v1/audit?limit=5'),
      asked('GET /api/v1/agents'),
      asked(`POST ${model}/retrain`, { reason: 'the story goes on' }),
      asked('POST /api/v1/trust/roots', honest.nextRootEnvelope),
      asked('POST /api/v1/session', { name: 'ada', password: testPassword }),
      asked('POST /api/v1/users/ada/role', { role: 'administrator' }),
    ],
    judge: async (bytes) => {
      const end = bytes.indexOf(10)
      const [method = '', path = ''] = text(bytes.subarray(0, Math.max(0, end))).split(' ')
      // What the client side of `fetch` refuses to send never comes here, and a stream never ends.
      if (
        !/^(?:GET|POST|PUT)$/.test(method) ||
        !path.startsWith('/') ||
        path.startsWith('//') ||
        path.includes('/events')
      )
        return 'refused'
      const body = method === 'GET' ? undefined : Uint8Array.from(bytes.subarray(end + 1))
      const before = errors.length
      const response = await app.request(path, {
        method,
        headers: {
          host: '127.0.0.1:4600',
          authorization: `Bearer ${token}`,
          'content-type': 'application/json',
        },
        ...(body === undefined ? {} : { body }),
      })
      const isProblem = response.headers.get('content-type')?.includes('problem') === true
      const problem = isProblem ? ((await response.json()) as { code?: unknown }) : undefined
      if (errors.length > before && problem?.code === 'INTERNAL') throw errors.at(-1)
      if (response.status < 400) return 'accepted'
      return typeof problem?.code === 'string'
        ? 'refused'
        : { wrong: `${response.status} without a problem's code` }
    },
  }
}

export const coordinatorParsers = async (folder: string): Promise<readonly Parser[]> => [
  {
    name: 'signing request',
    samples: requests,
    cost: 2,
    judge: signed(
      keyOf,
      requests.flatMap((each) => keyOf(each) ?? []),
    ),
  },
  {
    name: 'model file',
    samples: honest.modelFiles,
    judge: keeping(
      (bytes) => {
        const file = orUndefined(parseModelFile(bytes))
        return file !== undefined && checkModelFile(file).ok ? file : undefined
      },
      ({ nodes, external, functions }) =>
        nodes > 0 && external.length === 0 && functions === 0 ? undefined : 'not what may run',
    ),
  },
  {
    name: 'contract file',
    samples: [json(contractFile)],
    judge: keeping(
      (bytes) => orUndefined(parseContractFile(toDocument(bytes), parsedDefinition)),
      ({ features }) =>
        features.horizon === 24 && features.intervalMs === hourMs ? undefined : 'of another definition',
    ),
  },
  {
    name: 'model definitions',
    samples: [json([definition])],
    judge: stable((bytes) => definitionsSchema.safeParse(toDocument(bytes)).data, json),
  },
  {
    name: 'backtest task',
    samples: [json(task)],
    judge: stable((bytes) => orUndefined(parseTask(text(bytes))), json),
  },
  {
    name: 'backtest table',
    cost: 20,
    samples: [utf8('time,load,day\n1,2.5,mon\n2,,tue\n3,4,"we,d"\n')],
    judge: async (bytes) => {
      const path = join(folder, 'table.csv')
      await writeFile(path, bytes)
      try {
        const table = await readTable(path)
        return table.numbers('load').values.length === table.rows
          ? 'accepted'
          : { wrong: 'a column of another length' }
      } catch (error) {
        if (error instanceof Failure) return 'refused'
        throw error
      }
    },
  },
  {
    name: 'snapshot',
    samples: [snapshot],
    judge: keeping(
      (bytes) => orUndefined(decodeSnapshot(bytes)),
      ({ series }, bytes) =>
        series.reduce((sum, { values }) => sum + values.byteLength, 0) < bytes.length
          ? undefined
          : 'more than was there',
    ),
  },
  {
    name: 'client id',
    samples: [utf8('agent:demo:gw-1'), utf8('coordinator:control'), utf8('some-tool')],
    judge: keeping(
      (bytes) => {
        const id = text(bytes)
        return orUndefined(parseGuest(id)) ?? orUndefined(parseIdentity(id))
      },
      (who) => (who.role !== 'agent' || (isName(who.site) && isName(who.agent)) ? undefined : 'no name'),
    ),
  },
  {
    name: 'name in a certificate',
    samples: [utf8('imlma://demo/agent/gw-1'), utf8('imlma://demo/broker/b')],
    judge: stable(
      (bytes) => parseUri(text(bytes)),
      ({ kind, site, name }) => utf8(`imlma://${site}/${kind}/${name}`),
    ),
  },
  {
    name: 'range of an artifact',
    samples: [utf8('bytes=0-99'), utf8('bytes=5-'), utf8('bytes=-7')],
    judge: keeping(
      (bytes) => orUndefined(parseRange(text(bytes), 1_000)),
      ({ start, end }) =>
        start >= 0 && start <= end && end < 1_000 ? undefined : `${start} to ${end} of 1,000`,
    ),
  },
  {
    name: 'MQTT packets',
    samples: [Uint8Array.of(...connectPacket, ...publishPacket, ...publishPacket)],
    judge: keeping(
      (bytes) => createPacketBound(packetBounds)(bytes),
      (packets, bytes) =>
        packets <= bytes.length / 2 + 1 && (bytes.length === 0 || (bytes[0] as number) >> 4 === 1)
          ? undefined
          : `${packets} packets`,
    ),
  },
  await apiParser(),
]
