/**
 * The models of this agent, from the outside: start, hear assignments and commands, say what is served, stop.
 * The one place where the parts of this room meet; each of them is a file beside this one.
 */

import { Failure, type Result } from '@imlma/protocol/result'
import type { Manifest } from '@imlma/protocol/manifest'
import type { Envelope, VerifySignature } from '@imlma/protocol/trust'
import type { DeploymentReason, Reported } from '@imlma/protocol/wire'
import type { Clock } from '../clock/clock.ts'
import type { ControlMessage, Link } from '../link/link.ts'
import { noAudit, recordState, type ModelsAudit } from './audit-facts.ts'
import {
  deploymentOf,
  digestsNeeded,
  emptyAgentState,
  type AgentState,
  type StateFile,
} from './agent-state.ts'
import { createAssignments } from './assignments.ts'
import { createCommands } from './commands/commands.ts'
import type { LiveSeries } from './live-series.ts'
import { deliver, isOver } from './commands/ledger.ts'
import { createResultSender } from './commands/sender.ts'
import { createLostSessions } from './lost-sessions.ts'
import { createMachineRoom, type Raised } from './machine-room.ts'
import { rebuildState } from './rebuild.ts'
import { toReportedModels } from './reported.ts'
import type { RootsFile } from './roots.ts'
import type { Serving, Session, ShadowServing } from './serving.ts'
import { scrubModels } from './scrub.ts'
import { createSessions } from './sessions.ts'
import { createShadowRoom } from './shadow/shadow-room.ts'
import type { ModelStore } from './store.ts'
import type { Transfer } from './transfer.ts'
import type { Trials } from './trials.ts'
import { openTrust } from './trust.ts'
import { createWork, type WorkOptions } from './work.ts'

export interface ModelsParts {
  readonly store: ModelStore
  readonly file: StateFile
  readonly roots: RootsFile
  /** The trust root that this agent was given by hand. */
  readonly anchor: Envelope
  readonly verify: VerifySignature
  readonly serving: Serving
  readonly shadowServing: ShadowServing
  readonly trials?: Trials
  /** What the sources are configured to bring, as far as that is known. */
  readonly liveSeries?: () => readonly LiveSeries[]
  readonly transfer: Pick<Transfer, 'fetch'>
  readonly link: Pick<Link, 'publish'>
  readonly clock: Clock
  /** Milliseconds of a monotonic clock. */
  readonly monotonicMs: () => number
  /** Resolves after `ms`, or when the signal aborts. */
  readonly wait: (ms: number, signal: AbortSignal) => Promise<void>
  /** 0 ≤ x < 1, for jitter. */
  readonly random: () => number
  readonly raise: (alarm: Raised) => void
  /** Mistakes, and failures that nobody answers for: for the log. */
  readonly onFailure: (cause: unknown) => void
  /** A technician wants `reported` now. */
  readonly report?: () => void
  readonly resend?: (fromSequence: number) => Promise<Result<string>>
  readonly audit?: ModelsAudit
}

export interface ModelsOptions extends WorkOptions {
  readonly site: string
  readonly agent: string
}

/** The part of `reported` that this room knows. */
export type ReportedModels = Pick<Reported, 'desiredCounter' | 'rootVersion' | 'models'>

export interface Models {
  /** The payload of `desired`. Resolves when it is on disk and its effects have begun. Never rejects. */
  readonly desired: (payload: Uint8Array) => Promise<void>
  /** A message of `command/{commandId}`. Never rejects. */
  readonly command: (message: ControlMessage) => Promise<void>
  /** The link is up (again): what waits is tried, results that were not acknowledged are sent. */
  readonly connected: () => void
  readonly reportedModels: () => ReportedModels
  /** The verified manifest of a digest on disk: its budget and references. */
  readonly manifest: (model: string, sha256: string) => Promise<Result<Manifest, DeploymentReason>>
  readonly onChange: (listener: () => void) => () => void
  /** Hashes what is on disk; mends it where it was changed. Rejects where the disk fails. */
  readonly scrub: (signal: AbortSignal) => Promise<void>
  readonly stop: () => Promise<void>
}

/** Assignments and commands that wait for their turn; beyond, they are dropped: both come again. */
const waitingMax = 64

/**
 * Resolves when every champion on disk was verified, loaded and serves, or is known not to; attempts that were
 * interrupted go on beside. Throws `Failure` BAD_ROOT.
 */
export const startModels = async (parts: ModelsParts, options: ModelsOptions): Promise<Models> => {
  const { store, file, verify, serving, shadowServing, link, clock, raise, onFailure } = parts
  const { audit = noAudit } = parts
  const listeners = new Set<() => void>()
  const trust = await openTrust(parts)
  clock.follow(trust.current())
  const sessions = createSessions(serving, onFailure)
  const loadedChampion = (model: string): Session | undefined => {
    const { champion, championLoaded } = deploymentOf(room.state(), model)
    return champion === null || !championLoaded ? undefined : sessions.lend(model, champion.sha256)
  }
  const work = createWork(
    {
      ...parts,
      sessions,
      champion: loadedChampion,
      makeRoom: () => store.prune(digestsNeeded(room.state()), 'none'),
      trust: () => ({ chain: trust.chain(), verify }),
    },
    options,
  )

  const sender = createResultSender(link, (result) => {
    const isFinal = room.state().commands.known.some((record) => record.result === result && isOver(record))
    if (stopped || !isFinal) return
    void room
      .exclusively(() =>
        room.transact([], (state) => ({ ...state, commands: deliver(state.commands, result) })),
      )
      .catch(onFailure)
  })
  let stopped = false
  let said = emptyAgentState.commands
  const changed = (state: AgentState): void => {
    recordState(audit, state)
    // Results leave only after they were written down.
    const before = new Set(said.known.map(({ result }) => result))
    for (const { result } of state.commands.known) if (!before.has(result)) sender.say(result)
    said = state.commands
    shadows.look()
    for (const listener of listeners) listener()
  }

  const initial = await readState()
  said = initial.commands
  const room = createMachineRoom({ ...parts, sessions, work, now: clock.now, onChange: changed }, initial)
  const shadows = createShadowRoom({ ...parts, room, sessions, trust, work, serving: shadowServing })
  const assign = createAssignments(
    { room, shadows, store, trust, raise, audit },
    { ...options, clock, verify },
  )
  const commands = createCommands(
    { ...parts, audit, room, trust, say: sender.say, report: parts.report ?? notify },
    { ...options, verify },
  )

  async function readState(): Promise<AgentState> {
    const stored = await file.read()
    if (stored.kind === 'state') return stored.state
    const rebuilt = await rebuildState({ store, chain: trust.chain(), verify })
    const found = Object.keys(rebuilt.models).length
    if (stored.kind === 'corrupt' || found > 0) {
      const detail = `the state was ${stored.kind === 'corrupt' ? 'unreadable' : 'gone'}; ${found} models were found on disk`
      const evidence = { code: 'STATE_LOST', detail }
      raise({ model: null, version: null, kind: 'storage', level: 'act', value: null, limit: null, evidence })
      await file.write(rebuilt).catch(onFailure)
    }
    return rebuilt
  }
  function notify(): void {
    for (const listener of listeners) listener()
  }

  function raiseFailure({ code, message }: Failure): void {
    const evidence = { code, detail: message }
    raise({ model: null, version: null, kind: 'storage', level: 'act', value: null, limit: null, evidence })
  }

  let waiting = 0
  const inTurn = async (task: () => Promise<void>): Promise<void> => {
    if (waiting >= waitingMax)
      return onFailure(new Failure('OVERLOADED', 'too many messages wait for their turn'))
    waiting += 1
    try {
      await room.exclusively(task)
    } catch (cause) {
      // The disk did not take it, so nothing was done. A retained assignment comes again with the next connect.
      if (cause instanceof Failure) raiseFailure(cause)
      onFailure(cause)
    } finally {
      waiting -= 1
    }
  }

  const lost = createLostSessions({ room, now: clock.now, raise, onFailure })
  const stopCounting = serving.onLost?.((session) => void lost(session))

  await room.resume()
  await room.exclusively(commands.resume)
  await shadows.resume(initial)
  recordState(audit, room.state())
  for (const { result, delivered } of room.state().commands.known) if (!delivered) sender.say(result)
  await store.prune(digestsNeeded(room.state())).catch(onFailure)

  return {
    desired: (payload) => inTurn(() => assign(payload)),
    command: (message) => inTurn(() => commands.command(message)),
    connected: () => {
      sender.flush()
      shadows.connected()
      void inTurn(() =>
        room.transact(Object.keys(room.state().models).map((model) => [model, { kind: 'connected' }])),
      )
    },
    reportedModels: () => {
      const state = room.state()
      return {
        desiredCounter: state.desiredCounter,
        rootVersion: trust.current().version,
        models: toReportedModels(state),
      }
    },
    manifest: trust.openInstalled,
    scrub: (signal) => scrubModels({ state: room.state, store, work, raise }, signal),
    onChange: (listener) => {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    stop: async () => {
      stopped = true
      stopCounting?.()
      await shadows.stop()
      await room.stop()
    },
  }
}
