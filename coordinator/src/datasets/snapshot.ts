/**
 * The frozen material of one training: series, covariates and the windows they are used in, as deterministic bytes.
 * The same content always has the same SHA-256, whoever writes it.
 *
 *   magic line · JSON header line · float32 columns, little-endian, in the header's order
 */
import { accept, invariant, refuse, type Result } from '@imlma/protocol/result'
import type { IntervalSeries } from '@imlma/protocol/series'
import { z } from 'zod'
import type { TimeRange } from './split.ts'

export interface SnapshotSeries extends IntervalSeries {
  readonly meter: string
  /** A covariate is found by its register: the `name` in the feature spec. */
  readonly register: string
}

/** Which of an agent's batches the content was made of. */
export interface Provenance {
  readonly agent: string
  readonly firstSeq: number
  readonly lastSeq: number
}

export interface SnapshotContent {
  readonly v: 1
  readonly model: string
  readonly site: string
  readonly series: readonly SnapshotSeries[]
  readonly covariates: readonly SnapshotSeries[]
  /** All times in the snapshot. */
  readonly window: TimeRange
  /** No target that a learner sees, for training or for validation, lies at or after this time. */
  readonly trainEnd: number
  /** Targets of the gate's evaluation; later than `trainEnd` by at least the horizon. */
  readonly evaluation: TimeRange
  readonly provenance: readonly Provenance[]
}

const magic = 'imlma-snapshot 1\n'

const columnSchema = z.object({
  meter: z.string(),
  register: z.string(),
  intervalMs: z.number().int().positive(),
  start: z.number().int(),
  length: z.number().int().nonnegative(),
})
const rangeSchema = z.object({ start: z.number().int(), end: z.number().int() })
const headerSchema = z.object({
  v: z.literal(1),
  model: z.string(),
  site: z.string(),
  window: rangeSchema,
  trainEnd: z.number().int(),
  evaluation: rangeSchema,
  provenance: z.array(z.object({ agent: z.string(), firstSeq: z.number(), lastSeq: z.number() })),
  series: z.array(columnSchema),
  covariates: z.array(columnSchema),
})

type Column = z.infer<typeof columnSchema>

export const encodeSnapshot = (content: SnapshotContent): Uint8Array => {
  invariant(
    content.evaluation.start >= content.trainEnd,
    'the evaluation window is later than the training window',
  )
  const { v, model, site, window, trainEnd, evaluation, provenance, series, covariates } = content
  const header = {
    v,
    model,
    site,
    window: toRange(window),
    trainEnd,
    evaluation: toRange(evaluation),
    provenance: provenance.map(({ agent, firstSeq, lastSeq }) => ({ agent, firstSeq, lastSeq })),
    series: series.map(toColumn),
    covariates: covariates.map(toColumn),
  }
  const head = new TextEncoder().encode(`${magic}${JSON.stringify(header)}\n`)
  const columns = [...series, ...covariates]
  const length = columns.reduce((sum, { values }) => sum + values.length, 0)
  const bytes = new Uint8Array(head.length + length * 4)
  bytes.set(head)
  const view = new DataView(bytes.buffer)
  let at = head.length
  for (const { values } of columns) {
    for (const value of values) {
      // One bit pattern for "missing", whatever NaN the value was.
      if (value === value) view.setFloat32(at, value, true)
      else view.setUint32(at, 0x7fc00000, true)
      at += 4
    }
  }
  return bytes
}

export const decodeSnapshot = (bytes: Uint8Array): Result<SnapshotContent, 'MALFORMED'> => {
  const head = magic.length
  const end = bytes.indexOf(10, head)
  const text = new TextDecoder().decode(bytes.subarray(0, Math.max(0, end)))
  if (end < 0 || !text.startsWith(magic)) return refuse('MALFORMED', 'not a snapshot')
  const header = headerSchema.safeParse(parseJson(text.slice(head)))
  if (!header.success)
    return refuse('MALFORMED', `the snapshot's header is wrong: ${z.prettifyError(header.error)}`)
  const { series, covariates, ...rest } = header.data
  const length = [...series, ...covariates].reduce((sum, column) => sum + column.length, 0)
  if (bytes.length !== end + 1 + length * 4) return refuse('MALFORMED', 'the snapshot is cut or has a tail')
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  let at = end + 1
  const read = ({ length: count, ...column }: Column): SnapshotSeries => {
    const values = Float32Array.from({ length: count }, (_, i) => view.getFloat32(at + 4 * i, true))
    at += 4 * count
    return { ...column, values }
  }
  return accept({ ...rest, series: series.map(read), covariates: covariates.map(read) })
}

const toColumn = ({ meter, register, intervalMs, start, values }: SnapshotSeries): Column => ({
  meter,
  register,
  intervalMs,
  start,
  length: values.length,
})

/** Keys in one order, so that equal content has equal bytes. */
const toRange = ({ start, end }: TimeRange): TimeRange => ({ start, end })

const parseJson = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
