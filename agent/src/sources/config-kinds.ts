/** What a configuration says about the sources that read what others write or answer. */

import { z } from 'zod'
import { limits } from '@imlma/protocol/limits'
import { nameSchema } from '@imlma/protocol/wire'
import { telegramValueSchema } from './dsmr/values.ts'
import { documentFields, objectionToDocument } from './intake/document.ts'
import { objectionTo } from './intake/values.ts'
import { pointSchema } from './modbus/points.ts'
import { parseTopicPattern } from './topic-pattern.ts'

const label = z.string().min(1).max(limits.nameLengthMax)
const path = z.string().min(1).max(4_096)
const host = z.string().min(1).max(255)
const port = z.int().min(1).max(65_535)

/** Names the cursor: keep it over restarts. */
const name = nameSchema

const common = {
  name,
  /** Meters times values that one source may bring: names come from outside. */
  seriesMax: z.int().min(1).max(limits.seriesPerBatchMax).default(limits.seriesPerBatchMax),
  /** Milliseconds of samples that a kill may cost where they cannot be read again; shorter means more flash wear. */
  checkpointMs: z.int().min(1_000).max(3_600_000).default(60_000),
}

const lines = {
  ...documentFields,
  format: z.enum(['csv', 'ndjson']),
  /** Between the cells of CSV. */
  delimiter: z.string().length(1).default(','),
  /** Names of the columns where a CSV file has none; otherwise its first line names them. */
  header: z.array(z.string()).min(1).max(1_024).exactOptional(),
}

type Issues = z.core.$RefinementCtx

const object = (issues: Issues, message: string | undefined): void => {
  if (message !== undefined) issues.addIssue({ code: 'custom', message })
}

export const mqttSchema = z
  .strictObject({
    kind: z.literal('mqtt'),
    ...common,
    ...documentFields,
    /** `mqtt://` on this machine, `mqtts://` elsewhere. */
    url: z.string().min(1).max(2_048),
    /** Filter; the levels `{meter}` and `{which}` say what they stand for. */
    topic: z.string().refine((text) => parseTopicPattern(text) !== undefined, { message: 'no topic filter' }),
    format: z.enum(['json', 'cbor']).default('json'),
    /** 1: acknowledged when on disk. 0: one write for many messages, those of a crash are lost. */
    qos: z.union([z.literal(0), z.literal(1)]).default(1),
    clientId: z.string().min(1).max(64).exactOptional(),
    username: z.string().min(1).max(256).exactOptional(),
    /** Files, read at every connect. */
    passwordFile: path.exactOptional(),
    caFile: path.exactOptional(),
    certFile: path.exactOptional(),
    keyFile: path.exactOptional(),
    /** Allows `mqtt://` to another machine, on a network that nobody else is on: anybody there could write readings. */
    plainAllowed: z.boolean().default(false),
  })
  .superRefine((source, issues) => {
    const { topic } = source
    const given = { meter: topic.includes('{meter}'), which: topic.includes('{which}') }
    object(issues, objectionToDocument(source, given))
    object(issues, objectionToUrl(source))
  })

const objectionToUrl = ({
  url,
  plainAllowed,
}: {
  url: string
  plainAllowed: boolean
}): string | undefined => {
  const parsed = URL.parse(url)
  if (parsed === null || !['mqtt:', 'mqtts:'].includes(parsed.protocol) || parsed.hostname === '') {
    return 'url: write it as mqtt://127.0.0.1:1883 or mqtts://broker.example:8883'
  }
  if (parsed.username !== '' || parsed.password !== '') return 'url: give username and passwordFile instead'
  const isHere = /^(?:localhost|\[::1\]|127\.\d{1,3}\.\d{1,3}\.\d{1,3})$/.test(parsed.hostname)
  if (parsed.protocol === 'mqtts:' || isHere || plainAllowed) return undefined
  return `url: ${parsed.hostname} is another machine: use mqtts://, or set plainAllowed on a network of its own`
}

export const fileSchema = z
  .strictObject({
    kind: z.literal('file'),
    ...common,
    ...lines,
    path,
    /** Goes on when the file grows, over rotation and truncation; otherwise the source ends with the file. */
    follow: z.boolean().default(true),
    /** Where the first start begins. */
    from: z.enum(['start', 'end']).default('start'),
    /** Milliseconds between two looks at the end of the file. */
    pollMs: z.int().min(10).max(3_600_000).default(1_000),
  })
  .superRefine((source, issues) => object(issues, objectionToDocument(source)))

export const standardInputSchema = z
  .strictObject({ kind: z.literal('stdin'), ...common, ...lines })
  .superRefine((source, issues) => object(issues, objectionToDocument(source)))

export const httpSchema = z
  .strictObject({ kind: z.literal('http'), ...common, ...documentFields })
  .superRefine((source, issues) => object(issues, objectionToDocument(source)))

export const modbusSchema = z
  .strictObject({
    kind: z.literal('modbus'),
    ...common,
    host,
    port: port.default(502),
    unitId: z.int().min(0).max(255).default(1),
    meter: label,
    /** Milliseconds between two readings of all registers, on the clock. */
    everyMs: z.int().min(100).max(limits.intervalMsMax).default(60_000),
    /** Milliseconds for an answer; slow gateways to RS-485 need seconds. */
    timeoutMs: z.int().min(10).max(60_000).default(3_000),
    values: z.array(pointSchema).min(1).max(1_000),
  })
  .superRefine((source, issues) => {
    object(issues, objectionTo(source.values))
    const sampled = source.values.find(
      ({ aggregate, intervalMs }) => aggregate === 'none' && intervalMs !== source.everyMs,
    )
    if (sampled === undefined) return
    object(
      issues,
      `${sampled.register}: read every ${source.everyMs} ms it needs an aggregate for its interval`,
    )
  })

export const dsmrSchema = z
  .strictObject({
    kind: z.literal('dsmr'),
    ...common,
    /** A serial server … */
    host: host.exactOptional(),
    port: port.exactOptional(),
    /** … or a device, whose line the system has set up (`stty -F /dev/ttyUSB0 115200 raw`). */
    device: path.exactOptional(),
    /** False for meters before DSMR 4, which send no checksum. */
    checked: z.boolean().default(true),
    /** The serial number in the telegram where it is left out. */
    meter: label.exactOptional(),
    /** Milliseconds without a byte after which the connection is made anew; meters send every 1 to 10 s. */
    silenceMs: z.int().min(100).max(3_600_000).default(60_000),
    values: z.array(telegramValueSchema).min(1).max(64),
  })
  .superRefine((source, issues) => {
    object(issues, objectionTo(source.values))
    const isServer = source.host !== undefined && source.port !== undefined
    if (isServer === (source.device !== undefined)) object(issues, 'give host and port, or device')
  })
