/**
 * Keeps the life of every model going: looks at the version in shadow and at the trigger while nothing runs, and
 * otherwise does what the run's facts say is next. Whatever an effect finds out is appended to the registry first and believed afterwards.
 */

import type { Manifest } from '@imlma/protocol/manifest'
import { Failure } from '@imlma/protocol/result'
import type { Envelope } from '@imlma/protocol/trust'
import type { ChainedEvent, RegistryEvent, Trigger } from '../registry/events.ts'
import type { Registry } from '../registry/registry.ts'
import type { ModelDefinition } from './definition.ts'
import { applyEvent, effectOf, opensRun, versionOf, waiting, type Run, type RunEffect } from './run.ts'

/** How far a run has come, for people; `fraction` is of the phase, where it is known. */
export interface RunProgress {
  readonly phase: Run['phase']
  readonly run: string | null
  readonly fraction: number | null
  readonly detail: string
}

/** Does what an effect asks and returns the facts that follow. Throws `Failure` where the run cannot go on. */
export type PerformEffect = (
  definition: ModelDefinition,
  effect: RunEffect,
  context: {
    readonly signal: AbortSignal
    readonly onProgress: (progress: { fraction: number | null; detail: string }) => void
    /** The facts of this run so far. */
    readonly events: readonly ChainedEvent[]
  },
) => Promise<readonly RegistryEvent[]>

/** Seals with the release key, and waits for further people where the trust root asks for them. */
export type SealRelease = (
  payloadType: string,
  document: Manifest,
  context: Pick<Parameters<PerformEffect>[2], 'signal' | 'onProgress'>,
) => Envelope | Promise<Envelope>

export interface LifecycleParts {
  readonly registry: Pick<Registry, 'append' | 'runEvents' | 'subscribe'>
  /** The trigger's decision now; undefined while it waits. Called only while nothing runs. */
  readonly decideTrigger: (definition: ModelDefinition, now: number) => Promise<Trigger | undefined>
  /** The facts by which a shadow ends; none while it lasts. Called only while nothing runs. */
  readonly concludeShadow: (definition: ModelDefinition, now: number) => Promise<readonly RegistryEvent[]>
  /** Told of every run that started; safe to be told again after a kill. */
  readonly onStarted: (model: string, trigger: Trigger) => Promise<void>
  readonly perform: PerformEffect
  /** A run that was asked for under a name gets that name. */
  readonly newRunId: (trigger: Trigger) => string
  readonly now: () => number
  readonly onFailure: (error: unknown) => void
}

export interface Lifecycle {
  /** Looks at every model once; call it now and then. Never runs two looks at the same time. */
  readonly tick: () => Promise<void>
  readonly progress: (model: string) => RunProgress
  readonly subscribe: (listener: (model: string) => void) => () => void
  /** Aborts what runs, keeps its facts: the next start goes on from there. */
  readonly stop: () => Promise<void>
}

interface Life {
  readonly definition: ModelDefinition
  state: Run
  events: ChainedEvent[]
  working: Promise<void> | undefined
  /** Its start is to be told, and was not yet. */
  untold: Trigger | undefined
  progress: { fraction: number | null; detail: string }
}

/** Folds the last run of every model out of the registry, then waits for ticks. */
export const createLifecycle = async (
  parts: LifecycleParts,
  definitions: readonly ModelDefinition[],
): Promise<Lifecycle> => {
  const lives = new Map<string, Life>()
  for (const definition of definitions) lives.set(definition.name, await recall(parts, definition))
  const listeners = new Set<(model: string) => void>()
  const stopping = new AbortController()

  const changed = (life: Life, progress: Life['progress'] = { fraction: null, detail: '' }): void => {
    life.progress = progress
    for (const listener of listeners) listener(life.definition.name)
  }

  // Facts of a run also come from outside this loop (an agent deployed the version): they count for its delays.
  const endRegistry = parts.registry.subscribe((chained) => {
    const { event } = chained
    const life = 'model' in event && event.model !== null ? lives.get(event.model) : undefined
    if (life === undefined || !belongs(life.state, event)) return
    if (opensRun(event)) life.events = []
    life.events.push(chained)
    life.state = applyEvent(life.state, event)
    changed(life)
  })

  const work = async (life: Life): Promise<void> => {
    for (let effect = effectOf(life.state); effect !== undefined; effect = effectOf(life.state)) {
      if (stopping.signal.aborted) return
      const { run } = effect.state
      const facts = await parts
        .perform(life.definition, effect, {
          signal: stopping.signal,
          onProgress: (progress) => changed(life, progress),
          events: life.events,
        })
        .catch((error: unknown) => failed(life.definition.name, run, error))
      if (stopping.signal.aborted) return
      await parts.registry.append(facts, parts.now())
    }
  }

  /** Where that fails (a full disk) the run waits: one that went on to its end untold would be started once more. */
  const tell = async (life: Life): Promise<void> => {
    if (life.untold === undefined) return
    await parts.onStarted(life.definition.name, life.untold)
    life.untold = undefined
  }

  const look = async (life: Life): Promise<void> => {
    if (life.state.phase === 'waiting') {
      const ended = await parts.concludeShadow(life.definition, parts.now())
      if (ended.length > 0) await parts.registry.append(ended, parts.now())
    }
    if (life.state.phase === 'waiting') {
      const trigger = await parts.decideTrigger(life.definition, parts.now())
      if (trigger === undefined) return
      const { name: model } = life.definition
      await parts.registry.append(
        [{ kind: 'retraining-triggered', model, run: parts.newRunId(trigger), trigger }],
        parts.now(),
      )
      life.untold = trigger
    }
    await tell(life)
    await work(life)
  }

  return {
    tick: async () => {
      if (stopping.signal.aborted) return
      for (const life of lives.values()) {
        life.working ??= look(life)
          .catch(parts.onFailure)
          .finally(() => {
            life.working = undefined
          })
      }
      await Promise.resolve()
    },
    progress: (model) => {
      const life = lives.get(model)
      const state = life?.state ?? waiting
      const run = state.phase === 'waiting' ? null : state.run
      return { phase: state.phase, run, ...(life?.progress ?? { fraction: null, detail: '' }) }
    },
    subscribe: (listener) => {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    stop: async () => {
      stopping.abort()
      await Promise.all([...lives.values()].flatMap(({ working }) => working ?? []))
      endRegistry()
    },
  }
}

const recall = async (parts: LifecycleParts, definition: ModelDefinition): Promise<Life> => {
  const events = [...(await parts.registry.runEvents(definition.name))]
  const state = events.reduce((run: Run, { event }) => applyEvent(run, event), waiting)
  const started = events.find(({ event }) => event.kind === 'retraining-triggered')?.event
  // A kill between the fact and the trigger's own book must not make the trigger fire twice.
  if (started?.kind === 'retraining-triggered') await parts.onStarted(definition.name, started.trigger)
  return {
    definition,
    state,
    events,
    working: undefined,
    untold: undefined,
    progress: { fraction: null, detail: '' },
  }
}

/** Facts that name the run, and those that name only its version. */
const belongs = (state: Run, event: RegistryEvent): boolean => {
  if (opensRun(event)) return state.phase === 'waiting'
  if (state.phase === 'waiting') return false
  if ('run' in event) return event.run === state.run
  return 'version' in event && event.version === versionOf(state)
}

/** Stored material is not what it was: somebody must look, a failed run alone would go unnoticed. */
const tampered: ReadonlySet<string> = new Set(['DATASET_CHANGED', 'ARTIFACT_CHANGED'])

const failed = (model: string, run: string, error: unknown): readonly RegistryEvent[] => {
  const { code, message, hint } =
    error instanceof Failure ? error : new Failure('UNEXPECTED', String(error), { cause: error })
  const alert: RegistryEvent = {
    kind: 'alert-raised',
    id: `${run}-${code}`.slice(0, 64),
    source: 'lifecycle',
    agent: null,
    model,
    version: null,
    alert: code,
    level: 'act',
    evidence: { run, message: message.slice(0, 500) },
  }
  return [
    ...(tampered.has(code) ? [alert] : []),
    {
      kind: 'run-failed',
      model,
      run,
      code,
      message: message.slice(0, 1_000),
      hint: hint?.slice(0, 1_000) ?? '',
    },
  ]
}
