/**
 * Which loaded model answers for each name, and how one takes over from another.
 *
 *   load ──▶ (golden vectors, warm-up: elsewhere) ──▶ activate ──▶ answers ──▶ replaced ──last run──▶ closed
 *
 * A swap is one assignment: whoever asks after it gets the new model, whoever asked before it ends on the old one.
 * Where the active one fails a run, its stand-in answers the same question, then the baseline; the answer says who did.
 * Loading is handed in, so that a swap can be tested without a runtime.
 */

import { quantilesOf, type Contract } from '@imlma/protocol/manifest'
import { Failure, invariant } from '@imlma/protocol/result'
import { createRowBaseline, type RowBaseline } from './row-baseline.ts'
import type { Answered, LoadedModel, Maker, RunObservation, Serving } from './serving.ts'

export interface ActiveModels extends Serving {
  /** Everything that answers now, in the order of its names. */
  readonly models: () => readonly LoadedModel[]
  /** The active model, kept open until `release`: for a caller that runs later than it asks. */
  readonly lease: (model: string) => Lease | undefined
  /** Runs that the active version failed, by who answered in its place. */
  readonly stoodIn: () => Readonly<Record<Maker['kind'], number>>
}

export interface Lease {
  readonly model: LoadedModel
  /** Like its `run`, and answered by somebody else where it fails. Throws `Failure` RUN_FAILED where nobody can. */
  readonly answer: (
    features: Float32Array,
    rows: number,
    into?: Float32Array,
    quantilesInto?: Float32Array,
  ) => Promise<Answered>
  readonly release: () => void
}

interface Parts {
  readonly load: Serving['load']
  /** Milliseconds of a monotonic clock. */
  readonly now: () => number
  /** Told when a replaced model could not be closed: its memory is lost until the next start. */
  readonly onCloseFailed?: (model: LoadedModel, cause: unknown) => void
}

interface Slot {
  readonly loaded: LoadedModel
  /** The loaded model with its runs counted and observed. */
  readonly serving: LoadedModel
  readonly baseline: RowBaseline | undefined
  leases: number
  retired: boolean
}

export const createActiveModels = ({ load, now, onCloseFailed }: Parts): ActiveModels => {
  const slots = new Map<string, Slot>()
  const standIns = new Map<string, Slot>()
  const stoodIn = { model: 0, baseline: 0 }
  const listeners = new Set<(observation: RunObservation) => void>()
  const closing = new Set<Promise<void>>()

  const release = (slot: Slot): void => {
    slot.leases -= 1
    closeWhenFree(slot)
  }
  const closeWhenFree = (slot: Slot): void => {
    if (!slot.retired || slot.leases > 0) return
    const closed = slot.loaded
      .close()
      .catch((cause: unknown) => onCloseFailed?.(slot.loaded, cause))
      .finally(() => closing.delete(closed))
    closing.add(closed)
  }
  const retire = (slot: Slot | undefined): void => {
    if (slot === undefined) return
    slot.retired = true
    closeWhenFree(slot)
  }
  const observe = (slot: Slot, rows: number, startedAt: number, outcome: RunObservation['outcome']): void => {
    const { model, version, sha256 } = slot.loaded
    const durationMs = now() - startedAt
    for (const listener of listeners) listener({ model, version, sha256, rows, durationMs, outcome })
  }
  const runOn = async (
    slot: Slot,
    features: Float32Array,
    rows: number,
    into?: Float32Array,
    quantilesInto?: Float32Array,
  ): Promise<Float32Array> => {
    if (slot.retired && slot.leases === 0) {
      throw new Failure('RUN_FAILED', `${slot.loaded.model} was replaced before it was asked`, {
        retryable: true,
      })
    }
    slot.leases += 1
    const startedAt = now()
    try {
      const forecast = await slot.loaded.run(features, rows, into, quantilesInto)
      observe(slot, rows, startedAt, areFinite(forecast) ? 'answered' : 'not-finite')
      return forecast
    } catch (cause) {
      observe(slot, rows, startedAt, 'failed')
      throw cause
    } finally {
      release(slot)
    }
  }
  const toSlot = (loaded: LoadedModel): Slot => {
    const slot: Slot = {
      loaded,
      serving: {
        ...loaded,
        run: (features, rows, into, quantilesInto) => runOn(slot, features, rows, into, quantilesInto),
      },
      baseline: createRowBaseline(loaded.contract.features),
      leases: 0,
      retired: false,
    }
    return slot
  }

  /** The stand-in's answer to what `slot` was asked; nothing where it would be asked something else, or fails as well. */
  const byStandIn = async (
    slot: Slot,
    [features, rows, into, quantilesInto]: Parameters<Lease['answer']>,
  ) => {
    const other = standIns.get(slot.loaded.model)
    if (other === undefined || !isAskedAlike(other.loaded.contract, slot.loaded.contract)) return undefined
    const hasRanges = quantilesOf(other.loaded.contract).join() === quantilesOf(slot.loaded.contract).join()
    if (!hasRanges) quantilesInto?.fill(Number.NaN)
    try {
      const values = await runOn(other, features, rows, into, hasRanges ? quantilesInto : undefined)
      return { values, madeBy: makerOf(other.loaded) }
    } catch {
      // Its failure was observed; there is one more who can answer.
      return undefined
    }
  }
  const answerOn = async (slot: Slot, ...question: Parameters<Lease['answer']>): Promise<Answered> => {
    const [features, rows, into, quantilesInto] = question
    try {
      return { values: await runOn(slot, ...question), madeBy: makerOf(slot.loaded) }
    } catch (cause) {
      if (!(cause instanceof Failure) || cause.code !== 'RUN_FAILED') throw cause
      const answered = await byStandIn(slot, question)
      if (answered !== undefined) {
        stoodIn.model += 1
        return answered
      }
      if (slot.baseline === undefined) throw cause
      stoodIn.baseline += 1
      const values = into ?? new Float32Array(rows * slot.loaded.contract.horizon)
      slot.baseline(features, rows, values)
      quantilesInto?.fill(Number.NaN)
      return { values, madeBy: { kind: 'baseline', version: 0 } }
    }
  }

  return {
    load,
    activate: (loaded) => {
      const old = slots.get(loaded.model)
      if (old?.loaded === loaded) return
      invariant(old?.serving !== loaded, 'what is active already is not activated again through its handle')
      slots.set(loaded.model, toSlot(loaded))
      retire(old)
    },
    deactivate: (model) => {
      const old = slots.get(model)
      slots.delete(model)
      retire(old)
    },
    standIn: (model, loaded) => {
      const old = standIns.get(model)
      if (old?.loaded === loaded) return
      if (loaded === undefined) standIns.delete(model)
      else standIns.set(model, toSlot(loaded))
      retire(old)
    },
    stoodIn: () => ({ ...stoodIn }),
    active: (model) => slots.get(model)?.serving,
    models: () => [...slots.values()].map(({ serving }) => serving).toSorted(byName),
    lease: (model) => {
      const slot = slots.get(model)
      if (slot === undefined) return undefined
      slot.leases += 1
      let open = true
      return {
        model: slot.serving,
        answer: (...question) => answerOn(slot, ...question),
        release: () => {
          if (open) release(slot)
          open = false
        },
      }
    },
    onRun: (listener) => {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    close: async () => {
      for (const slot of [...slots.values(), ...standIns.values()]) retire(slot)
      slots.clear()
      standIns.clear()
      await Promise.all(closing)
    },
  }
}

const byName = (a: LoadedModel, b: LoadedModel): number => (a.model < b.model ? -1 : 1)

const makerOf = ({ version, sha256 }: LoadedModel): Maker =>
  version === 0 ? { kind: 'baseline', version } : { kind: 'model', version, sha256 }

/** Rows that were written for the one mean the same to the other. */
const isAskedAlike = (a: Contract, b: Contract): boolean =>
  a.horizon === b.horizon &&
  a.register === b.register &&
  a.unit === b.unit &&
  JSON.stringify(a.features) === JSON.stringify(b.features)

/** Float32 values cannot overflow a double's sum: it is finite exactly when all of them are. */
const areFinite = (values: Float32Array): boolean => {
  let sum = 0
  for (let i = 0; i < values.length; i++) sum += values[i] as number
  return Number.isFinite(sum)
}
