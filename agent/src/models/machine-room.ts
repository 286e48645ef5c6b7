/**
 * Runs the deployment machines of all models: one event at a time, and for each: decide → persist → act. What an effect
 * comes to is the next event. A power cut between two of these lines is what `resume` is for.
 */

import { Failure } from '@imlma/protocol/result'
import type { Alarm, InstalledVersion } from '@imlma/protocol/wire'
import { deploymentOf, digestsLoaded, digestsNeeded, type AgentState, type StateFile } from './agent-state.ts'
import { withConclusions } from './commands/results.ts'
import { resume, step } from './deployment.ts'
import type { Deployment, DeploymentEvent, Effect, Step } from './deployment-state.ts'
import { alarmKindOf } from './reasons.ts'
import type { Sessions } from './sessions.ts'
import type { ModelStore } from './store.ts'
import type { WorkEffect } from './work.ts'

/** An alarm without its identity and time. */
export type Raised = Omit<Alarm, 'v' | 'id' | 'at'>

export interface MachineRoomParts {
  readonly file: StateFile
  readonly store: ModelStore
  readonly sessions: Sessions
  readonly work: (model: string, effect: WorkEffect, signal: AbortSignal) => Promise<DeploymentEvent>
  readonly now: () => number
  readonly wait: (ms: number, signal: AbortSignal) => Promise<void>
  readonly raise: (alarm: Raised) => void
  readonly onChange: (state: AgentState) => void
  /** Told of mistakes and of failures that nobody else answers for. */
  readonly onFailure: (cause: unknown) => void
}

export interface MachineRoom {
  readonly state: () => AgentState
  /** Runs the task alone: nothing else reads or changes the state meanwhile. */
  readonly exclusively: <Value>(task: () => Promise<Value>) => Promise<Value>
  /** Steps the machines by these events and the rest of the state by `alter`, in one write. Only inside `exclusively`. */
  readonly transact: (
    events: readonly (readonly [model: string, event: DeploymentEvent])[],
    alter?: (state: AgentState) => AgentState,
  ) => Promise<void>
  /** Resumes every model; resolves when each champion is restored, or is known not to be. */
  readonly resume: () => Promise<void>
  readonly stop: () => Promise<void>
}

/** Time before an answer that could not be written down is given again: a full disk empties slowly. */
const retryWriteMs = 5_000

export const createMachineRoom = (parts: MachineRoomParts, initial: AgentState): MachineRoom => {
  const { file, store, sessions, work, now, wait, raise, onChange, onFailure } = parts
  const stopping = new AbortController()
  const running = new Map<string, AbortController>()
  const tasks = new Set<Promise<void>>()
  let state = initial
  let queue: Promise<unknown> = Promise.resolve()

  const exclusively = <Value>(task: () => Promise<Value>): Promise<Value> => {
    const result = queue.then(task)
    queue = result.catch(() => undefined)
    return result
  }

  /** What is loaded is gone after a start anyhow: a change of that alone costs no write, and needs no disk. */
  const persist = async (next: AgentState): Promise<void> => {
    if (durable(next) !== durable(state)) await file.write(next)
    state = next
  }

  const commit = async (steps: readonly (readonly [string, Step])[], alter = same): Promise<void> => {
    const effects = steps.flatMap(([, { effects: own }]) => own)
    const changed = steps.filter(([model, { state: next }]) => next !== deploymentOf(state, model))
    const stepped = { ...state, models: { ...state.models, ...toStates(changed) } }
    await persist(withConclusions(alter(stepped), effects, now()))
    for (const [model, { effects: own }] of steps) {
      for (const effect of own) await act(model, effect)
      sessions.standIn(model, standInOf(deploymentOf(state, model)))
      sessions.retain(model, digestsLoaded(state, model))
    }
    if (effects.length > 0 || alter !== same) onChange(state)
  }

  const transact: MachineRoom['transact'] = (events, alter) => {
    let seen = state
    const steps = events.map(([model, event]) => {
      const stepped = step(deploymentOf(seen, model), event, now())
      seen = { ...seen, models: { ...seen.models, [model]: stepped.state } }
      return [model, stepped] as const
    })
    return commit(steps, alter)
  }

  const act = async (model: string, effect: Effect): Promise<void> => {
    switch (effect.kind) {
      case 'fetch':
      case 'verify':
      case 'warm':
      case 'watch':
        return begin(model, effect, `${model}/${effect.attempt}`)
      case 'restore':
        return begin(model, effect, `${model}/restore/${effect.candidate.sha256}`)
      case 'abandon':
        return running.get(`${model}/${effect.attempt}`)?.abort()
      case 'activate':
        return sessions.activate(model, effect.candidate.sha256)
      case 'deactivate':
        return sessions.deactivate(model)
      case 'setAside':
        return store.setAside(effect.sha256, effect.what).catch(onFailure)
      case 'quarantine':
        return store.quarantine(effect.sha256).catch(onFailure)
      case 'prune':
        return store.prune(digestsNeeded(state)).catch(onFailure)
      case 'alarm':
        return raise(toAlarm(model, effect.candidate, effect.reason, effect.detail))
      case 'report':
        return undefined // said by `onChange`, once everything else has been done
    }
  }

  /** Starts a piece of work; its answer comes back as an event of its own. */
  const begin = (model: string, effect: WorkEffect, key: string): void => {
    if (stopping.signal.aborted || (effect.kind === 'restore' && running.has(key))) return
    const controller = new AbortController()
    running.set(key, controller)
    const task = work(model, effect, AbortSignal.any([controller.signal, stopping.signal]))
      .then((answer) => give(model, answer))
      .catch(onFailure)
      .finally(() => {
        tasks.delete(task)
        // A further round of the same attempt may be running under this key by now.
        if (running.get(key) === controller) running.delete(key)
      })
    tasks.add(task)
  }

  /** Gives an answer to the machine, again and again while it cannot be written down. */
  const give = async (model: string, answer: DeploymentEvent): Promise<void> => {
    while (!stopping.signal.aborted) {
      try {
        await exclusively(async () => {
          if (!stopping.signal.aborted) await transact([[model, answer]])
        })
        return
      } catch (cause) {
        if (!(cause instanceof Failure)) throw cause
        raise(toStorageAlarm(model, cause))
        await wait(retryWriteMs, stopping.signal)
      }
    }
  }

  const resumeAll = async (): Promise<void> => {
    const restoring: Promise<void>[] = []
    for (const model of Object.keys(state.models)) {
      await exclusively(async () => {
        const before = deploymentOf(state, model)
        const resumed = resume(before, now())
        await commit([[model, resumed]]).catch((cause: unknown) => {
          if (!(cause instanceof Failure)) throw cause
          // Nothing is counted and no attempt goes on while nothing can be written; what was committed serves all the same.
          raise(toStorageAlarm(model, cause))
          const effects = resumed.effects.filter(({ kind }) => kind === 'restore')
          return commit([[model, { state: { ...before, championLoaded: false }, effects }]])
        })
      })
      restoring.push(restored(model))
    }
    await Promise.all(restoring)
  }

  /** Resolves when nothing is being restored any more: a stand-in may follow a champion that was lost. */
  const restored = async (model: string): Promise<void> => {
    const isRestoring = (): boolean => [...running.keys()].some((key) => key.startsWith(`${model}/restore/`))
    while (isRestoring() && !stopping.signal.aborted) await Promise.race(tasks)
  }

  return {
    state: () => state,
    exclusively,
    transact,
    resume: resumeAll,
    stop: async () => {
      stopping.abort()
      await Promise.all(tasks)
      const stopped = Object.keys(state.models).map((model) => [model, { kind: 'stopped' }] as const)
      await exclusively(() => transact(stopped)).catch(onFailure)
    },
  }
}

/** On probation the champion answers what the challenger fails to. */
const standInOf = ({ phase, champion, championLoaded }: Deployment): string | undefined =>
  phase === 'probation' && championLoaded ? champion?.sha256 : undefined

const same = (state: AgentState): AgentState => state

const toStates = (steps: readonly (readonly [string, Step])[]): Record<string, Deployment> =>
  Object.fromEntries(steps.map(([model, { state }]) => [model, state]))

const durable = (state: AgentState): string =>
  JSON.stringify(state, (key, value: unknown) => (key === 'championLoaded' ? undefined : value))

const toAlarm = (model: string, { version }: InstalledVersion, code: string, detail: string): Raised => ({
  model,
  version,
  kind: alarmKindOf(code),
  level: 'act',
  value: null,
  limit: null,
  evidence: { code, detail },
})

const toStorageAlarm = (model: string, { code, message }: Failure): Raised => ({
  model,
  version: null,
  kind: 'storage',
  level: 'act',
  value: null,
  limit: null,
  evidence: { code, detail: message },
})
