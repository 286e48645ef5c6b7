/**
 * Samples in a document: a message of a concentrator, a line of a file, what somebody posts. Configuration says under
 * which fields meter, time and values stand; a field is a path of names or places with dots between (`sensors.0.power`).
 */

import { z } from 'zod'
import { limits } from '@imlma/protocol/limits'
import { parseNumber } from '../cells.ts'
import { toInstant } from './instant.ts'
import { objectionTo, valueFields } from './values.ts'

const field = z.string().min(1).max(256)

const documentValueSchema = z.strictObject({
  ...valueFields,
  /** Where the value stands. */
  field,
  /** Only where the field that `which` names says this. */
  when: z.string().max(64).exactOptional(),
})

export const documentFields = {
  /** Where an array of readings stands, if not at the top. */
  items: field.exactOptional(),
  /** Where the meter's name stands, or the name itself. */
  meter: field.exactOptional(),
  meterName: z.string().min(1).max(limits.nameLengthMax).exactOptional(),
  /** Where the time stands; without it, it is when the document came. */
  at: field.exactOptional(),
  /** Where it stands which of the values a document brings. */
  which: field.exactOptional(),
  /** Where a quality code 0 to 4 stands. */
  quality: field.exactOptional(),
  /** Local time minus UTC in minutes, for times without a zone. */
  timeOffsetMinutes: z.int().min(-1_440).max(1_440).exactOptional(),
  /** Which end of its interval a reading is dated with. */
  stamped: z.enum(['start', 'end']).default('start'),
  values: z.array(documentValueSchema).min(1).max(64),
}

const mappingSchema = z.strictObject(documentFields)
export type DocumentMapping = z.infer<typeof mappingSchema>

/** What is wrong with a mapping that fits the schema; `given` is what a topic says beside the document. */
export const objectionToDocument = (
  { meter, meterName, which, values }: DocumentMapping,
  given: { readonly meter?: boolean; readonly which?: boolean } = {},
): string | undefined => {
  if (meter === undefined && meterName === undefined && given.meter !== true) {
    return 'nothing says which meter it is: give meter, or meterName'
  }
  if (values.some(({ when }) => when !== undefined) && which === undefined && given.which !== true) {
    return 'a value says when, and nothing says which field tells (which)'
  }
  const plain = values.filter(({ when }) => when === undefined)
  return [plain, ...values.map((value) => [value])].map(objectionTo).find((each) => each !== undefined)
}

/** One value of one meter; `channel` is its place among the configured values. */
export interface Sample {
  readonly meter: string
  readonly channel: number
  /** UTC epoch milliseconds. */
  readonly at: number
  /** As it came; NaN says that there is none. */
  readonly value: number
  readonly quality?: number
}

/** What the way of a document says about it. */
export interface Surroundings {
  readonly receivedAt: number
  /** From the topic. */
  readonly meter?: string | undefined
  readonly which?: string | undefined
}

export type DocumentRefusal =
  'NO_METER' | 'BAD_TIME' | 'BAD_NUMBER' | 'NO_VALUE' | 'BAD_QUALITY' | 'NOT_READINGS' | 'TOO_MANY'

export interface Extract {
  readonly samples: readonly Sample[]
  readonly refused: readonly {
    readonly code: DocumentRefusal
    readonly message: string
    readonly item: unknown
  }[]
}

/** Everything readable comes out, everything else is refused piece by piece: a bad meter never hides the good ones. */
export const toSamples = (document: unknown, mapping: DocumentMapping, around: Surroundings): Extract => {
  const samples: Sample[] = []
  const refused: { code: DocumentRefusal; message: string; item: unknown }[] = []
  const found = mapping.items === undefined ? document : at(document, mapping.items)
  const items = Array.isArray(found) ? (found as readonly unknown[]) : [found]
  if (items.length > limits.seriesPerBatchMax) {
    const message = `${items.length} readings at once, ${limits.seriesPerBatchMax} are read`
    refused.push({ code: 'TOO_MANY', message, item: items[0] })
  }
  for (const item of items.slice(0, limits.seriesPerBatchMax)) {
    const refuse = (code: DocumentRefusal, message: string): void =>
      void refused.push({ code, message, item })
    if (typeof item !== 'object' || item === null) refuse('NOT_READINGS', 'a reading is an object of fields')
    else extract(item, mapping, around, samples, refuse)
  }
  return { samples, refused }
}

const extract = (
  item: object,
  mapping: DocumentMapping,
  around: Surroundings,
  samples: Sample[],
  refuse: (code: DocumentRefusal, message: string) => void,
): void => {
  const meter = nameOf(
    mapping.meter === undefined ? (around.meter ?? mapping.meterName) : at(item, mapping.meter),
  )
  if (meter === undefined) {
    refuse('NO_METER', `no name of a meter in ${mapping.meter ?? 'the topic'}`)
    return
  }
  const { timeOffsetMinutes } = mapping
  const offsetMs = timeOffsetMinutes === undefined ? undefined : timeOffsetMinutes * 60_000
  const time = mapping.at === undefined ? around.receivedAt : toInstant(at(item, mapping.at), offsetMs)
  if (Number.isNaN(time)) {
    refuse('BAD_TIME', `${mapping.at} is no time (ISO 8601 with its zone, or epoch seconds or milliseconds)`)
    return
  }
  const quality = mapping.quality === undefined ? undefined : qualityOf(at(item, mapping.quality))
  if (quality === null) {
    refuse('BAD_QUALITY', `${mapping.quality} is no quality code, 0 to 4`)
    return
  }
  const which = mapping.which === undefined ? around.which : nameOf(at(item, mapping.which))
  let hasValue = false
  mapping.values.forEach((value, channel) => {
    if (value.when !== undefined && value.when !== which) return
    const raw = at(item, value.field)
    if (raw === undefined) return
    hasValue = true
    const number = toNumber(raw)
    if (number === undefined) refuse('BAD_NUMBER', `${value.field} is no number`)
    else if (!Number.isNaN(number)) samples.push(sampleOf(meter, channel, time, number, quality))
  })
  if (!hasValue) refuse('NO_VALUE', 'none of the configured fields is there')
}

const sampleOf = (meter: string, channel: number, time: number, value: number, quality?: number): Sample =>
  quality === undefined ? { meter, channel, at: time, value } : { meter, channel, at: time, value, quality }

/** What stands at a path; undefined where the path leads nowhere. Inherited names are nobody's field. */
const at = (document: unknown, path: string): unknown => {
  if (typeof document === 'object' && document !== null && Object.hasOwn(document, path)) {
    return (document as Record<string, unknown>)[path]
  }
  let place = document
  for (const name of path.split('.')) {
    if (typeof place !== 'object' || place === null || !Object.hasOwn(place, name)) return undefined
    place = (place as Record<string, unknown>)[name]
  }
  return place
}

const nameOf = (value: unknown): string | undefined => {
  const text = typeof value === 'number' || typeof value === 'bigint' ? String(value) : value
  if (typeof text !== 'string') return undefined
  const name = text.trim()
  return name.length > 0 && name.length <= limits.nameLengthMax ? name : undefined
}

const toNumber = (value: unknown): number | undefined => {
  if (value === null) return Number.NaN
  if (typeof value === 'number') return Number.isFinite(value) ? value : Number.NaN
  if (typeof value === 'bigint') return Number(value)
  return typeof value === 'string' && value.length <= 64 ? parseNumber(value, false) : undefined
}

/** undefined where there is none, null where it is none. */
const qualityOf = (value: unknown): number | undefined | null => {
  if (value === undefined || value === null || value === '') return undefined
  const code = typeof value === 'string' ? Number(value) : value
  return typeof code === 'number' && Number.isInteger(code) && code >= 0 && code <= 4 ? code : null
}
