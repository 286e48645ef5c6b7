/** All workers of this agent: each loaded version has one. What was lost is counted here, and told to whoever decides. */

import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { pipeline } from 'node:stream/promises'
import type { Contract } from '@imlma/protocol/manifest'
import type { LoadedModel, ModelIdentity } from '../serving.ts'
import { loadIsolated, type IsolatedModel } from './isolated-model.timer.ts'
import type { LossCause, LostWorker } from './lost.ts'
import { startWorker } from './worker.process.ts'

export interface WorkerFigures extends ModelIdentity {
  /** Undefined while it is being replaced. */
  readonly pid: number | undefined
  readonly restarts: number
}

export interface Workers {
  /** `latencyMsBudget`: as signed, where it is known. Throws `Failure` LOAD_FAILED, CONTRACT_MISMATCH. */
  readonly load: (
    path: string,
    identity: ModelIdentity,
    contract: Contract,
    latencyMsBudget: number | undefined,
  ) => Promise<LoadedModel>
  readonly onLost: (listener: (lost: LostWorker) => void) => () => void
  readonly list: () => readonly WorkerFigures[]
  /** Workers lost since the start, by cause. */
  readonly losses: () => Readonly<Record<LossCause, number>>
  /** By digest, of versions that are gone too. */
  readonly restarts: () => ReadonlyMap<string, number>
}

export interface WorkersOptions {
  /** Bytes that one model may allocate. */
  readonly memoryBytesMax?: number
  /** Milliseconds that every run has; see `deadline.ts`. */
  readonly runMsMin?: number
  /** Milliseconds until a model has loaded: the largest ones take seconds from a slow card. */
  readonly loadMsMax?: number
}

/** Digests whose restarts are remembered: as many as an agent may quarantine. */
const digestsMax = 64

export const createWorkers = ({
  memoryBytesMax = 512 * 1_048_576,
  runMsMin = 2_000,
  loadMsMax = 60_000,
}: WorkersOptions = {}): Workers => {
  const listeners = new Set<(lost: LostWorker) => void>()
  const loaded = new Set<IsolatedModel>()
  const restarts = new Map<string, number>()
  const losses: Record<LossCause, number> = { hung: 0, memory: 0, crashed: 0 }

  const onLost = (lost: LostWorker): void => {
    losses[lost.cause] += 1
    for (const listener of listeners) listener(lost)
  }
  const onRestarted = (sha256: string): void => {
    restarts.set(sha256, (restarts.get(sha256) ?? 0) + 1)
    const oldest = restarts.keys().next()
    if (restarts.size > digestsMax && oldest.done !== true) restarts.delete(oldest.value)
  }

  return {
    load: async (path, identity, contract, latencyMsBudget) => {
      const start = () => startWorker(path, contract, { memoryBytesMax, loadMsMax })
      const parts = { start, digestOf: () => digestOf(path), onLost, onRestarted }
      const isolated = await loadIsolated(parts, { identity, contract, latencyMsBudget }, { runMsMin })
      loaded.add(isolated)
      return {
        ...isolated,
        close: () => {
          loaded.delete(isolated)
          return isolated.close()
        },
      }
    },
    onLost: (listener) => {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    list: () =>
      [...loaded].map(({ model, version, sha256, pid }) => ({
        model,
        version,
        sha256,
        pid: pid(),
        restarts: restarts.get(sha256) ?? 0,
      })),
    losses: () => ({ ...losses }),
    restarts: () => restarts,
  }
}

const digestOf = async (path: string): Promise<string> => {
  const hash = createHash('sha256')
  await pipeline(createReadStream(path), hash)
  return hash.digest('hex')
}
