/**
 * Runs the shadow machines of all models beside the machine room, in its turns and in its writes: decide → persist → act.
 * A word of the director is one write with the assignment that it came with (`stage`); everything else is its own.
 */

import { Failure } from '@imlma/protocol/result'
import { deploymentOf, digestsLoaded, digestsNeeded, shadowOf, type AgentState } from '../agent-state.ts'
import type { DeploymentEvent } from '../deployment-state.ts'
import type { MachineRoom, Raised } from '../machine-room.ts'
import { alarmKindOf } from '../reasons.ts'
import type { ShadowServing } from '../serving.ts'
import type { Sessions } from '../sessions.ts'
import type { ModelStore } from '../store.ts'
import { withQuarantined } from '../transitions.ts'
import type { Trust } from '../trust.ts'
import type { Role, WorkEffect } from '../work.ts'
import { resumeShadow, stepShadow } from './shadow.ts'
import {
  shadowLimits,
  toBeside,
  type ShadowEffect,
  type ShadowEvent,
  type ShadowStep,
} from './shadow-state.ts'

interface Parts {
  readonly room: MachineRoom
  readonly store: ModelStore
  readonly sessions: Sessions
  readonly trust: Pick<Trust, 'openInstalled'>
  readonly serving: ShadowServing
  readonly work: (
    model: string,
    effect: WorkEffect,
    signal: AbortSignal,
    role: Role,
  ) => Promise<DeploymentEvent>
  readonly wait: (ms: number, signal: AbortSignal) => Promise<void>
  readonly raise: (alarm: Raised) => void
  readonly onFailure: (cause: unknown) => void
}

type ModelEvent = readonly [model: string, event: ShadowEvent]

/** Steps that are part of a write: `alter` goes into it, `act` runs once it is on disk. */
export interface Staged {
  readonly alter: (state: AgentState) => AgentState
  readonly act: () => Promise<void>
}

export interface ShadowRoom {
  /** Only inside `room.exclusively`. */
  readonly stage: (events: readonly ModelEvent[]) => Staged
  /** The deployments have moved: what serves by now, or never may again, does not go on in shadow. */
  readonly look: () => void
  readonly connected: () => void
  /** `found`: the state as the last stop left it, before the deployments went on. */
  readonly resume: (found: AgentState) => Promise<void>
  readonly stop: () => Promise<void>
}

/** Time before a step that could not be written down is tried again: as the machine room's. */
const retryWriteMs = 5_000

export const createShadowRoom = (parts: Parts): ShadowRoom => {
  const { room, store, sessions, trust, serving, work, wait, raise, onFailure } = parts
  const stopping = new AbortController()
  const running = new Map<string, AbortController>()
  const tasks = new Set<Promise<void>>()
  /** Runs of each model's shadow since it began. */
  const runs = new Map<string, number>()

  const stageSteps = (
    models: readonly string[],
    decide: (model: string, state: AgentState) => ShadowStep,
  ) => {
    const effects: [string, ShadowEffect][] = []
    const alter = (before: AgentState): AgentState => {
      effects.length = 0
      return models.reduce((state, model) => {
        const step = decide(model, state)
        effects.push(...step.effects.map((effect): [string, ShadowEffect] => [model, effect]))
        return withStep(state, model, step)
      }, before)
    }
    const act = async (): Promise<void> => {
      for (const [model, effect] of effects) await run(model, effect)
      for (const model of new Set(models)) sessions.retain(model, digestsLoaded(room.state(), model))
      if (effects.some(([, { kind }]) => kind === 'discard')) await prune()
    }
    return { alter, act, hasEffects: () => effects.length > 0 }
  }

  const stage = (events: readonly ModelEvent[]) => {
    // One model may be spoken of once: its event is found by its name.
    const byModel = new Map(events)
    return stageSteps([...byModel.keys()], (model, state) =>
      stepShadow(
        shadowOf(state, model),
        byModel.get(model) as ShadowEvent,
        toBeside(deploymentOf(state, model)),
      ),
    )
  }

  const transact = async ({ alter, act, hasEffects }: ReturnType<typeof stageSteps>): Promise<void> => {
    // Most looks find nothing new: nobody needs to hear of it. What goes on after a start is nothing new, and to do.
    if (alter(room.state()) === room.state() && !hasEffects()) return
    await room.transact([], alter)
    await act()
  }

  /** Gives the events to the machines, again and again while they cannot be written down. */
  const give = async (events: () => readonly ModelEvent[]): Promise<void> => {
    while (!stopping.signal.aborted) {
      try {
        return await room.exclusively(async () => {
          if (!stopping.signal.aborted) await transact(stage(events()))
        })
      } catch (cause) {
        if (!(cause instanceof Failure)) throw cause
        onFailure(cause)
        await wait(retryWriteMs, stopping.signal)
      }
    }
  }
  const track = (task: Promise<void>): void => {
    const tracked = task.catch(onFailure).finally(() => tasks.delete(tracked))
    tasks.add(tracked)
  }
  const giveAll = (event: ShadowEvent): void =>
    track(give(() => Object.keys(room.state().shadows).map((model) => [model, event])))

  const prune = (): Promise<void> => store.prune(digestsNeeded(room.state())).catch(onFailure)

  const run = async (model: string, effect: ShadowEffect): Promise<void> => {
    switch (effect.kind) {
      case 'fetch':
      case 'verify':
      case 'warm':
        return begin(model, effect)
      case 'abandon':
        return running.get(`${model}/${effect.attempt}`)?.abort()
      case 'run':
        runs.set(model, 0)
        return serving.start(sessions.lend(model, effect.candidate.sha256))
      case 'rest':
        return serving.stop(model)
      case 'discard':
        return discard(model, effect.sha256).catch(onFailure)
      case 'setAside':
        return store.setAside(effect.sha256, effect.what).catch(onFailure)
      case 'quarantine':
        return store.quarantine(effect.sha256).catch(onFailure)
      case 'alarm':
        return raise(toAlarm(model, effect))
    }
  }

  const begin = (model: string, effect: Extract<ShadowEffect, WorkEffect>): void => {
    if (stopping.signal.aborted) return
    const key = `${model}/${effect.attempt}`
    const controller = new AbortController()
    running.set(key, controller)
    const signal = AbortSignal.any([controller.signal, stopping.signal])
    track(
      work(model, effect, signal, 'shadow')
        .then((answer) => give(() => (isShadowAnswer(answer) ? [[model, answer]] : [])))
        .finally(() => {
          // A later piece of work of the same attempt may be running under this key by now.
          if (running.get(key) === controller) running.delete(key)
        }),
    )
  }

  /** A version that may also serve stays as long as `prune` lets it: a technician may want it. */
  const discard = async (model: string, sha256: string): Promise<void> => {
    if (digestsNeeded(room.state()).includes(sha256)) return
    const manifest = await trust.openInstalled(model, sha256)
    if (manifest.ok && manifest.value.mode !== 'shadow') return
    await store.discard(sha256)
  }

  const endListening = serving.onRun(({ model, sha256 }) => {
    const shadow = shadowOf(room.state(), model)
    if (shadow.state !== 'running' || shadow.crashes === 0 || shadow.candidate.sha256 !== sha256) return
    const count = (runs.get(model) ?? 0) + 1
    runs.set(model, count)
    if (count !== shadowLimits.settledRuns) return
    track(give(() => [[model, { kind: 'settled', attempt: shadow.attempt }]]))
  })

  return {
    stage,
    look: () => giveAll({ kind: 'looked' }),
    connected: () => giveAll({ kind: 'connected' }),
    resume: (found) => {
      const staged = stageSteps(Object.keys(room.state().shadows), (model, state) =>
        resumeShadow(
          shadowOf(state, model),
          toBeside(deploymentOf(state, model), deploymentOf(found, model)),
        ),
      )
      // Nothing is counted and nothing runs in shadow while nothing can be written.
      return room.exclusively(() => transact(staged)).catch(onFailure)
    },
    stop: async () => {
      endListening()
      stopping.abort()
      await Promise.all(tasks)
      const stopped = Object.keys(room.state().shadows).map((model): ModelEvent => [
        model,
        { kind: 'stopped' },
      ])
      await room.exclusively(() => transact(stage(stopped))).catch(onFailure)
    },
  }
}

const withStep = (before: AgentState, model: string, { shadow, effects }: ShadowStep): AgentState => {
  const condemned = effects.find((effect) => effect.kind === 'quarantine')
  if (shadow === shadowOf(before, model) && condemned === undefined) return before
  const deployment = deploymentOf(before, model)
  return {
    ...before,
    shadows: { ...before.shadows, [model]: shadow },
    models: {
      ...before.models,
      [model]: condemned === undefined ? deployment : withQuarantined(deployment, condemned.sha256),
    },
  }
}

const isShadowAnswer = (event: DeploymentEvent): event is Extract<ShadowEvent, DeploymentEvent> =>
  ['fetched', 'verified', 'warmed', 'failed'].includes(event.kind)

/** The champion is well: only somebody else's bytes are a reason to act. */
const toAlarm = (
  model: string,
  { candidate, reason, detail }: Extract<ShadowEffect, { kind: 'alarm' }>,
): Raised => {
  const kind = alarmKindOf(reason)
  return {
    model,
    version: candidate.version,
    kind,
    level: kind === 'security' ? 'act' : 'watch',
    value: null,
    limit: null,
    evidence: { code: reason, detail, shadow: true },
  }
}
