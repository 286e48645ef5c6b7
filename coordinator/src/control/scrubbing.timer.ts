/** One pass over the artifact store a day; each file that was changed becomes an alert. */

import { setTimeout as pause } from 'node:timers/promises'
import type { Registry } from '../registry/registry.ts'
import { scrubArtifacts, type ChangedArtifact } from '../storage/scrub.fs.ts'

interface ScrubbingParts {
  readonly registry: Pick<Registry, 'append'>
  readonly now: () => number
  readonly onFailure: (cause: unknown) => void
}

interface ScrubbingOptions {
  /** Of the artifact store. */
  readonly folder: string
  readonly everyMs?: number
  /** Pause before the first pass: a start has better things to do. */
  readonly delayMs?: number
  readonly bytesPerS?: number
}

const hint = 'restore the file from a backup of the artifacts folder, and look after disk and access'

/** The returned function ends it; resolves when nothing of it runs any more. */
export const keepScrubbed = (
  { registry, now, onFailure }: ScrubbingParts,
  { folder, everyMs = 86_400_000, delayMs = 600_000, bytesPerS }: ScrubbingOptions,
): (() => Promise<void>) => {
  const stopping = new AbortController()
  const { signal } = stopping
  const tell = async ({ sha256, actual, bytes, path }: ChangedArtifact): Promise<void> => {
    const evidence = { code: 'ARTIFACT_CHANGED', sha256, actual, bytes, movedTo: path, hint }
    const about = { agent: null, model: null, version: null, level: 'act' as const, source: 'scrub' }
    const id = `scrub-${sha256.slice(0, 16)}-${actual.slice(0, 16)}`
    await registry.append(
      [{ kind: 'alert-raised', id, alert: 'ARTIFACT_CHANGED', evidence, ...about }],
      now(),
    )
  }
  const run = async (): Promise<void> => {
    for (let wait = delayMs; ; wait = everyMs) {
      await pause(wait, undefined, { signal, ref: false }).catch(() => undefined)
      if (signal.aborted) return
      const options = { folder, signal, ...(bytesPerS === undefined ? {} : { bytesPerS }) }
      await scrubArtifacts(options, tell).catch(onFailure)
    }
  }
  const running = run()
  return () => {
    stopping.abort()
    return running
  }
}
