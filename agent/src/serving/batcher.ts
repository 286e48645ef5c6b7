/**
 * Requests that arrive together are answered by one run: a run of many rows costs little more than a run of one.
 *
 *   request ─▶ open batch ─(end of this turn, or of the run under way)─▶ one run ─▶ each request its own rows
 *
 * The window in which they gather is the run before: nothing waits by a clock, so a lone request waits for the end of its
 * turn of the event loop and for nobody, and under load the batches grow by themselves until one run keeps up. Beyond a
 * bound on what waits, a request is refused at once: those that were admitted keep their latency.
 */

import { quantilesOf } from '@imlma/protocol/manifest'
import { accept, refuse, type Result } from '@imlma/protocol/result'
import type { ActiveModels, Lease } from './active-models.ts'
import type { LoadedModel, Maker } from './serving.ts'

export type InferRefusal = 'MODEL_NOT_FOUND' | 'MALFORMED' | 'OVERLOADED' | 'RUN_FAILED'

/** `values`: rows × H, of the version that answered; `quantiles`: rows × Q × H where its contract has them. */
export interface Inference {
  readonly version: number
  readonly madeBy: Maker
  readonly values: Float32Array
  readonly quantiles?: Float32Array
}

export interface Batcher {
  /** Is there room for one more? Asked before a request is read: a refusal must cost less than an answer. */
  readonly admit: (model: string) => Result<void, 'OVERLOADED'>
  /** `features`: rows × F, row-major; not kept after the answer. */
  readonly infer: (
    model: string,
    features: Float32Array,
    rows: number,
  ) => Promise<Result<Inference, InferRefusal>>
}

interface Parts {
  readonly models: Pick<ActiveModels, 'lease'>
  /** Calls back at the end of this turn of the event loop. */
  readonly defer: (callback: () => void) => void
  /** Milliseconds of a monotonic clock. */
  readonly now: () => number
}

interface Options {
  /** Rows of one run: bounds its time and memory (4,096 rows × 96 features are 1.5 MB). */
  readonly rowsPerRunMax?: number
  /** Rows waiting over all models: bounds their memory (24 MB with 96 features). */
  readonly rowsWaitingMax?: number
  /** Requests waiting over all models: at 40 µs each, what waits is answered within 20 ms. */
  readonly requestsWaitingMax?: number
  /** Milliseconds that full batches of a model may wait, by the pace of its last runs: a slow model has a short queue. */
  readonly waitMsMax?: number
}

interface Waiting {
  readonly features: Float32Array
  readonly rows: number
  readonly answer: (result: Result<Inference, InferRefusal>) => void
}

interface Batch {
  readonly lease: Lease
  readonly waiting: Waiting[]
  rows: number
}

/** The batches of one model: the last one is open as long as it has room, the others are full. */
interface Line {
  readonly batches: Batch[]
  running: boolean
  /** Of the last runs, smoothed. */
  msPerRun: number
}

/** Share of the last run in the pace: a single slow run is forgotten after five. */
const paceShare = 0.3

export const createBatcher = ({ models, defer, now }: Parts, options: Options = {}): Batcher => {
  const {
    rowsPerRunMax = 4_096,
    rowsWaitingMax = 65_536,
    requestsWaitingMax = 512,
    waitMsMax = 100,
  } = options
  const lines = new Map<string, Line>()
  let rowsWaiting = 0
  let requestsWaiting = 0

  const runNext = async (line: Line): Promise<void> => {
    const batch = line.batches[0]
    if (line.running || batch === undefined) return
    line.batches.shift()
    line.running = true
    const startedAt = now()
    try {
      await answer(batch)
    } finally {
      line.msPerRun += paceShare * (now() - startedAt - line.msPerRun)
      line.running = false
      rowsWaiting -= batch.rows
      requestsWaiting -= batch.waiting.length
      batch.lease.release()
    }
    return runNext(line)
  }

  const lineOf = (model: string): Line => {
    const known = lines.get(model)
    if (known !== undefined) return known
    const fresh: Line = { batches: [], running: false, msPerRun: 0 }
    lines.set(model, fresh)
    return fresh
  }

  const batchFor = (model: string, rows: number): Batch | undefined => {
    const last = lines.get(model)?.batches.at(-1)
    if (last !== undefined && last.rows + rows <= rowsPerRunMax) return last
    const lease = models.lease(model)
    if (lease === undefined) return undefined
    const line = lineOf(model)
    const fresh: Batch = { lease, waiting: [], rows: 0 }
    line.batches.push(fresh)
    defer(() => void runNext(line))
    return fresh
  }

  const admitRows = (model: string, rows: number): Result<void, 'OVERLOADED'> => {
    const line = lines.get(model)
    const last = line?.batches.at(-1)
    // A row more in a batch that has room costs next to nothing, so nobody is refused for the pace as long as one has.
    const isLate =
      line !== undefined &&
      last !== undefined &&
      last.rows + rows > rowsPerRunMax &&
      line.batches.length * line.msPerRun > waitMsMax
    const isFull = rowsWaiting + rows > rowsWaitingMax || requestsWaiting >= requestsWaitingMax || isLate
    if (!isFull) return accept(undefined)
    return refuse(
      'OVERLOADED',
      `${requestsWaiting} requests with ${rowsWaiting} rows are waiting already`,
      'ask again later, with fewer requests at a time: many rows in one request cost little more than one',
    )
  }

  return {
    admit: (model) => admitRows(model, 1),
    infer: async (model, features, rows) => {
      if (rows < 1 || rows > rowsPerRunMax) {
        return refuse('MALFORMED', `${rows} rows; a request has 1 to ${rowsPerRunMax}`)
      }
      const admitted = admitRows(model, rows)
      if (!admitted.ok) return admitted
      const batch = batchFor(model, rows)
      if (batch === undefined) return refuse('MODEL_NOT_FOUND', `no version of ${model} is served`)
      const columns = columnsOf(batch.lease.model)
      if (features.length !== rows * columns) {
        return refuse('MALFORMED', `${features.length} values are not ${rows} rows of ${columns}`)
      }
      rowsWaiting += rows
      requestsWaiting += 1
      batch.rows += rows
      return new Promise((answered) => batch.waiting.push({ features, rows, answer: answered }))
    },
  }
}

/** Columns of a feature row of this model. */
const columnsOf = ({ contract }: Pick<LoadedModel, 'contract'>): number =>
  contract.inputs[0]?.shape.at(-1) as number

const answer = async ({ lease: { model, answer: ask }, waiting, rows }: Batch): Promise<void> => {
  try {
    const [only] = waiting
    if (only === undefined) return
    const features = waiting.length === 1 ? only.features : gather(waiting, rows * columnsOf(model))
    const quantileValues = quantilesOf(model.contract).length * model.contract.horizon
    const quantiles = quantileValues > 0 ? new Float32Array(rows * quantileValues) : undefined
    const { values, madeBy } = await ask(features, rows, undefined, quantiles)
    const horizon = values.length / rows
    let row = 0
    for (const request of waiting) {
      const from = row * horizon
      row += request.rows
      request.answer(
        accept({
          version: madeBy.version,
          madeBy,
          values: values.subarray(from, row * horizon),
          ...(quantiles !== undefined && {
            quantiles: quantiles.subarray((row - request.rows) * quantileValues, row * quantileValues),
          }),
        }),
      )
    }
  } catch (cause) {
    const refusal = refuse('RUN_FAILED', cause instanceof Error ? cause.message : String(cause))
    for (const request of waiting) request.answer(refusal)
  }
}

const gather = (waiting: readonly Waiting[], values: number): Float32Array => {
  const all = new Float32Array(values)
  let at = 0
  for (const { features } of waiting) {
    all.set(features, at)
    at += features.length
  }
  return all
}
