/** Live performance of the versions that the fleet reports; the ones that were reported last are kept. */

import { protocolVersion, type VersionWindow } from '@imlma/protocol/wire'
import type { Refusal } from '@imlma/protocol/result'
import type { LivePerformance } from './fleet.ts'
import type { StoredPerformance } from './fleet-store.ts'
import type { MergedLatency } from './latency-merge.sketches.ts'
import { mergeWindow, noSums, psiOfInputs, type FleetSums, type InputReference } from './performance.ts'

interface Watched {
  sums: FleetSums
  readonly latency: MergedLatency
  dirty: boolean
}

export interface LivePerformances {
  /** The refusal is that of a sketch; everything else of the window counts. */
  readonly add: (window: VersionWindow) => Refusal | undefined
  readonly restore: (stored: StoredPerformance) => void
  readonly of: (model: string) => readonly LivePerformance[]
  /** What changed since the last call; `putBack` when it could not be stored. */
  readonly takeChanged: () => readonly StoredPerformance[]
  readonly putBack: (stored: readonly StoredPerformance[]) => void
}

interface Parts {
  readonly newLatency: () => MergedLatency
  readonly referenceOf: (model: string, version: number) => InputReference | undefined
}

export const createLivePerformances = (parts: Parts, versionsMax: number): LivePerformances => {
  // In the order of the last report.
  const watched = new Map<string, Watched>()
  const keyOf = ({ model, version }: { model: string; version: number }): string => `${model}@${version}`

  const watch = (key: string, entry: Watched): void => {
    watched.delete(key)
    watched.set(key, entry)
    for (const oldest of watched.keys()) {
      if (watched.size <= versionsMax) break
      watched.delete(oldest)
    }
  }

  return {
    add: (window) => {
      const key = keyOf(window)
      const entry = watched.get(key) ?? {
        sums: noSums(window.model, window.version),
        latency: parts.newLatency(),
        dirty: true,
      }
      entry.sums = mergeWindow(entry.sums, window)
      entry.dirty = true
      watch(key, entry)
      const added = window.latencySketch === null ? undefined : entry.latency.add(window.latencySketch)
      return added?.ok === false ? added.refusal : undefined
    },
    restore: ({ sums, latency: bytes }) => {
      const latency = parts.newLatency()
      if (bytes !== null) latency.add(bytes)
      watch(keyOf(sums), { sums, latency, dirty: false })
    },
    of: (model) =>
      [...watched.values()]
        .filter(({ sums }) => sums.model === model)
        .toSorted((a, b) => a.sums.version - b.sums.version)
        .map(({ sums, latency }) => {
          const { version, runs, failures, errors, baseline, coverage } = sums
          const psi = psiOfInputs(sums, parts.referenceOf(model, version))
          return {
            model,
            version,
            runs,
            failures,
            latencyMs: latency.percentiles(),
            errors,
            baseline,
            coverage,
            psi,
          }
        }),
    takeChanged: () =>
      [...watched.values()]
        .filter(({ dirty }) => dirty)
        .map((entry) => {
          entry.dirty = false
          return { v: protocolVersion, sums: toStoredSums(entry.sums), latency: entry.latency.bytes() }
        }),
    putBack: (stored) => {
      for (const { sums } of stored) {
        const entry = watched.get(keyOf(sums))
        if (entry !== undefined) entry.dirty = true
      }
    },
  }
}

/** Stored documents are mutable types; the values are not changed. */
const toStoredSums = (sums: FleetSums): StoredPerformance['sums'] => ({
  ...sums,
  errors: { ...sums.errors },
  baseline: { ...sums.baseline },
  inputs: Object.fromEntries(
    Object.entries(sums.inputs).map(([name, { edges, counts }]) => [
      name,
      { edges: [...edges], counts: [...counts] },
    ]),
  ),
})
