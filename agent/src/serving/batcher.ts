/**
 * Requests that arrive together are answered by one run: a run of many rows costs little more than a run of one.
 * What arrives in the same turn of the event loop is gathered; nobody waits longer than that turn.
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
}

interface Options {
  /** Rows of one run: bounds its time and memory (4,096 rows × 96 features are 1.5 MB). */
  readonly rowsPerRunMax?: number
  /** Rows waiting over all models: beyond, a request is refused at once instead of late. */
  readonly rowsWaitingMax?: number
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

export const createBatcher = ({ models, defer }: Parts, options: Options = {}): Batcher => {
  const { rowsPerRunMax = 4_096, rowsWaitingMax = 65_536 } = options
  const open = new Map<string, Batch>()
  let rowsWaiting = 0

  const flush = async (model: string, batch: Batch): Promise<void> => {
    // A full batch was closed before its turn: only the open one is taken off.
    if (open.get(model) === batch) open.delete(model)
    try {
      await answer(batch)
    } finally {
      rowsWaiting -= batch.rows
      batch.lease.release()
    }
  }

  const batchFor = (model: string, rows: number): Batch | undefined => {
    const batch = open.get(model)
    if (batch !== undefined && batch.rows + rows <= rowsPerRunMax) return batch
    const lease = models.lease(model)
    if (lease === undefined) return undefined
    const fresh: Batch = { lease, waiting: [], rows: 0 }
    open.set(model, fresh)
    defer(() => void flush(model, fresh))
    return fresh
  }

  return {
    infer: async (model, features, rows) => {
      if (rows < 1 || rows > rowsPerRunMax) {
        return refuse('MALFORMED', `${rows} rows; a request has 1 to ${rowsPerRunMax}`)
      }
      if (rowsWaiting + rows > rowsWaitingMax) {
        return refuse('OVERLOADED', `${rowsWaiting} rows are waiting already`, 'ask again later')
      }
      const batch = batchFor(model, rows)
      if (batch === undefined) return refuse('MODEL_NOT_FOUND', `no version of ${model} is served`)
      const columns = columnsOf(batch.lease.model)
      if (features.length !== rows * columns) {
        return refuse('MALFORMED', `${features.length} values are not ${rows} rows of ${columns}`)
      }
      rowsWaiting += rows
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
