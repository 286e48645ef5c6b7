/**
 * The work that the deployment machine asks for, and how each piece of it ends: bring the bytes, verify them, warm the
 * model up, watch it, restore a champion. Whatever goes wrong is an answer; only our own mistakes are thrown.
 */

import type { Manifest } from '@imlma/protocol/manifest'
import { accept, refuse, type Result } from '@imlma/protocol/result'
import { deploymentReasons, type DeploymentReason, type InstalledVersion } from '@imlma/protocol/wire'
import type { DeploymentEvent, Effect } from './deployment-state.ts'
import { openInstalled, type InstalledTerms } from './installed.ts'
import { checkLiveSeries, type LiveSeries } from './live-series.ts'
import { watchProbation, type ProbationOptions } from './probation.ts'
import type { Serving, Session } from './serving.ts'
import type { Sessions } from './sessions.ts'
import type { ModelStore } from './store.ts'
import type { Transfer, Wanted } from './transfer.ts'
import type { Trials } from './trials.ts'
import { proveGolden, proveLatency, type WarmOptions } from './warm.ts'

export type WorkEffect = Extract<Effect, { kind: 'fetch' | 'verify' | 'warm' | 'watch' | 'restore' }>

export interface WorkParts {
  readonly store: ModelStore
  readonly transfer: Pick<Transfer, 'fetch'>
  readonly serving: Pick<Serving, 'onRun'>
  readonly sessions: Sessions
  /** Runs the champion beside a challenger on probation; without it, only the challenger's own runs are watched. */
  readonly trials?: Trials | undefined
  /** The champion of a model where it is loaded, lent. */
  readonly champion: (model: string) => Session | undefined
  /** What the sources are configured to bring; without it, every contract fits. */
  readonly liveSeries?: (() => readonly LiveSeries[]) | undefined
  /** Removes from disk whatever no model needs. */
  readonly makeRoom: () => Promise<void>
  readonly trust: () => Omit<InstalledTerms, 'store'>
  /** Milliseconds of a monotonic clock. */
  readonly monotonicMs: () => number
  readonly wait: (ms: number, signal: AbortSignal) => Promise<void>
  readonly random: () => number
}

export interface WorkOptions extends WarmOptions, ProbationOptions {
  /** Milliseconds before the second round of a fetch; doubles with every further one. */
  readonly fetchRoundDelayMs?: number
}

type Outcome = Result<void, DeploymentReason>

/** What a version is wanted for: to answer, or to run beside the champion. */
export type Role = 'active' | 'shadow'

/** Does the work and answers it. The signal ends it early; its answer is then late and changes nothing. */
export const createWork = (parts: WorkParts, options: WorkOptions = {}) => {
  const { store, transfer, sessions, trust, liveSeries, monotonicMs, wait, random } = parts
  const { fetchRoundDelayMs = 2_000 } = options

  const writing = new Map<string, Promise<unknown>>()

  const manifestOf = async (
    model: string,
    sha256: string,
    role: Role,
  ): Promise<Result<Manifest, DeploymentReason>> => {
    const manifest = await openInstalled({ ...trust(), store }, model, sha256)
    // The last door: whatever was said on the way here, what was signed for shadow only never answers.
    return manifest.ok && manifest.value.mode === 'shadow' && role === 'active' ? shadowOnly : manifest
  }

  const fetch = async (
    model: string,
    { candidate: { sha256 }, round }: Extract<WorkEffect, { kind: 'fetch' }>,
    signal: AbortSignal,
    role: Role,
  ): Promise<Outcome> => {
    if (round > 0) await wait(fetchRoundDelayMs * 2 ** (round - 1) * (0.5 + random() / 2), signal)
    const manifest = await manifestOf(model, sha256, role)
    if (!manifest.ok) return manifest
    // A repair whose manifest alone was damaged finds its bytes here.
    if ((await store.verify(sha256)).ok) return accept(undefined)
    const wanted = { sha256, bytes: manifest.value.artifact.bytes }
    const brought = await bring(wanted, signal)
    if (!brought.ok || !brought.value.resumed) return brought.ok ? accept(undefined) : brought
    // What was half there before a power cut may be torn at its end: a resumed file that is wrong is brought once more.
    const admitted = await alone(sha256, () => store.admit(sha256))
    if (admitted.ok || admitted.refusal.code !== 'BAD_DIGEST') return accept(undefined)
    const again = await bring(wanted, signal)
    return again.ok ? accept(undefined) : again
  }

  /** One at a time per digest: an abandoned fetch of it may still be writing its last piece. */
  const alone = async <Value>(sha256: string, task: () => Promise<Value>): Promise<Value> => {
    while (writing.has(sha256)) await writing.get(sha256)
    const result = task().finally(() => writing.delete(sha256))
    writing.set(
      sha256,
      result.catch(() => undefined),
    )
    return result
  }

  /** What nobody needs goes where there is no room otherwise. */
  const openWithRoom = async (sha256: string, bytes: number): ReturnType<ModelStore['openPartial']> => {
    const file = await store.openPartial(sha256, bytes)
    if (file.ok || file.refusal.code !== 'NO_SPACE') return file
    await parts.makeRoom()
    return store.openPartial(sha256, bytes)
  }

  const bring = (
    { sha256, bytes }: Wanted,
    signal: AbortSignal,
  ): Promise<Result<{ resumed: boolean }, DeploymentReason>> =>
    alone(sha256, async () => {
      const file = await openWithRoom(sha256, bytes)
      if (!file.ok) return file
      const resumed = file.value.bytes() > 0
      try {
        const brought = await transfer.fetch({ sha256, bytes }, file.value, signal)
        return brought.ok ? accept({ resumed }) : brought
      } finally {
        await file.value.close()
      }
    })

  const verify = async (
    model: string,
    { candidate: { sha256 }, isNew }: Extract<WorkEffect, { kind: 'verify' }>,
    role: Role,
  ): Promise<Outcome> => {
    const artifact = await alone(sha256, () => store.admit(sha256))
    if (!artifact.ok) return missingIsMismatch(artifact.refusal)
    const manifest = await manifestOf(model, sha256, role)
    if (!manifest.ok) return manifest
    // Before it is warmed up: what does not fit this gateway's sources is not condemned, they may be configured otherwise.
    return isNew ? checkLiveSeries(manifest.value.contract, liveSeries?.() ?? []) : accept(undefined)
  }

  /** Hashes again, loads by path, and holds the outputs against the golden vectors. */
  const prove = async (
    model: string,
    { version, sha256 }: InstalledVersion,
    role: Role,
  ): Promise<Result<{ session: Session; manifest: Manifest }, DeploymentReason>> => {
    const manifest = await manifestOf(model, sha256, role)
    if (!manifest.ok) return manifest
    const path = await store.verify(sha256)
    if (!path.ok) return missingIsMismatch(path.refusal)
    const session = await sessions.load(path.value, { model, version, sha256 }, manifest.value.contract)
    const golden = await proveGolden(session, manifest.value)
    return golden.ok ? accept({ session, manifest: manifest.value }) : golden
  }

  const warm = async (
    model: string,
    { candidate, timed }: Extract<WorkEffect, { kind: 'warm' }>,
    role: Role,
  ): Promise<Outcome> => {
    const proven = await prove(model, candidate, role)
    if (!proven.ok) return proven
    if (!timed) return accept(undefined)
    return proveLatency(proven.value.session, proven.value.manifest, monotonicMs, options)
  }

  const watch = async (
    model: string,
    { candidate: { version, sha256 } }: Extract<WorkEffect, { kind: 'watch' }>,
    signal: AbortSignal,
    role: Role,
  ): Promise<Outcome> => {
    const manifest = await manifestOf(model, sha256, role)
    if (!manifest.ok) return manifest
    const challenger = { model, version, sha256 }
    const champion = signal.aborted ? undefined : parts.champion(model)
    const terms = { challenger, champion, reference: manifest.value.reference }
    try {
      return await watchProbation(parts, terms, signal, options)
    } finally {
      await champion?.close()
    }
  }

  const outcomeOf = (
    model: string,
    effect: WorkEffect,
    signal: AbortSignal,
    role: Role,
  ): Promise<Outcome> => {
    const { candidate } = effect
    switch (effect.kind) {
      case 'fetch':
        return fetch(model, effect, signal, role)
      case 'verify':
        return verify(model, effect, role)
      case 'warm':
        return warm(model, effect, role)
      case 'watch':
        return watch(model, effect, signal, role)
      case 'restore':
        return prove(model, candidate, role).then((proven) => (proven.ok ? accept(undefined) : proven))
    }
  }

  return async (
    model: string,
    effect: WorkEffect,
    signal: AbortSignal,
    role: Role = 'active',
  ): Promise<DeploymentEvent> => {
    const startedAt = monotonicMs()
    const outcome = await outcomeOf(model, effect, signal, role).catch((cause: unknown) =>
      toOutcome(cause, effect),
    )
    return toAnswer(effect, outcome, Math.max(0, monotonicMs() - startedAt))
  }
}

const shadowOnly = refuse('SHADOW_ONLY', 'it was signed to run beside the champion only')

const toAnswer = (effect: WorkEffect, outcome: Outcome, durationMs: number): DeploymentEvent => {
  if (effect.kind === 'restore') {
    const { sha256 } = effect.candidate
    if (outcome.ok) return { kind: 'restored', sha256 }
    return { kind: 'unrestored', sha256, reason: outcome.refusal.code, detail: outcome.refusal.message }
  }
  const { attempt } = effect
  if (!outcome.ok) {
    return { kind: 'failed', attempt, reason: outcome.refusal.code, detail: outcome.refusal.message }
  }
  if (effect.kind === 'watch') return { kind: 'healthy', attempt }
  const done = { fetch: 'fetched', verify: 'verified', warm: 'warmed' } as const
  return { kind: done[effect.kind], attempt, durationMs }
}

/** A failure of the world in the machine's words: its own code where the machine knows it. */
const toOutcome = (cause: unknown, { kind }: WorkEffect): Outcome => {
  // Of the world are our own failures and the operating system's, which carry a code. The rest is a mistake of ours.
  if (!(cause instanceof Error) || !('code' in cause)) throw cause
  const { code } = cause
  const known = deploymentReasons.find((reason) => reason === code)
  const otherwise = kind === 'fetch' || kind === 'verify' ? 'FETCH_FAILED' : 'LOAD_FAILED'
  return refuse(known ?? otherwise, cause.message)
}

/** What should be there and is not is damaged like what is there and wrong. */
const missingIsMismatch = ({
  code,
  message,
}: {
  readonly code: 'NOT_ON_DISK' | 'DIGEST_MISMATCH' | 'BAD_DIGEST'
  readonly message: string
}): Outcome & { readonly ok: false } => refuse(code === 'NOT_ON_DISK' ? 'DIGEST_MISMATCH' : code, message)
