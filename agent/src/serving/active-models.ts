/**
 * Which loaded model answers for each name, and how one takes over from another.
 *
 *   load ──▶ (golden vectors, warm-up: elsewhere) ──▶ activate ──▶ answers ──▶ replaced ──last run──▶ closed
 *
 * A swap is one assignment: whoever asks after it gets the new model, whoever asked before it ends on the old one.
 * Loading is handed in, so that a swap can be tested without a runtime.
 */

import { Failure, invariant } from '@imlma/protocol/result'
import type { LoadedModel, RunObservation, Serving } from './serving.ts'

export interface ActiveModels extends Serving {
  /** Everything that answers now, in the order of its names. */
  readonly models: () => readonly LoadedModel[]
  /** The active model, kept open until `release`: for a caller that runs later than it asks. */
  readonly lease: (model: string) => Lease | undefined
}

export interface Lease {
  readonly model: LoadedModel
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
  leases: number
  retired: boolean
}

export const createActiveModels = ({ load, now, onCloseFailed }: Parts): ActiveModels => {
  const slots = new Map<string, Slot>()
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
      leases: 0,
      retired: false,
    }
    return slot
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
    active: (model) => slots.get(model)?.serving,
    models: () => [...slots.values()].map(({ serving }) => serving).toSorted(byName),
    lease: (model) => {
      const slot = slots.get(model)
      if (slot === undefined) return undefined
      slot.leases += 1
      let open = true
      return {
        model: slot.serving,
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
      for (const slot of slots.values()) retire(slot)
      slots.clear()
      await Promise.all(closing)
    },
  }
}

const byName = (a: LoadedModel, b: LoadedModel): number => (a.model < b.model ? -1 : 1)

/** Float32 values cannot overflow a double's sum: it is finite exactly when all of them are. */
const areFinite = (values: Float32Array): boolean => {
  let sum = 0
  for (let i = 0; i < values.length; i++) sum += values[i] as number
  return Number.isFinite(sum)
}
