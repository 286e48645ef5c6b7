/** The control centre as the API asks for it, put together from the rooms. */

import { accept, refuse, type Result } from '@imlma/protocol/result'
import type { Envelope } from '@imlma/protocol/trust'
import { toAgentView } from '../api/agent-view.ts'
import { toAlerts } from '../api/alerts.ts'
import type { Change, Control, StoredArtifact } from '../api/control.ts'
import { toRollouts } from '../api/rollouts.ts'
import { toRounds } from '../api/rounds.ts'
import { toVersionView } from '../api/version-view.ts'
import type { AgentView, HealthView, ModelView } from '../api/views.ts'
import type { Fleet } from '../fleet/fleet.ts'
import type { ModelDefinition } from '../lifecycle/definition.ts'
import type { Lifecycle } from '../lifecycle/lifecycle.ts'
import type { ChainedEvent } from '../registry/events.ts'
import type { Registry } from '../registry/registry.ts'
import type { ReadingsReader } from '../storage/readings.ts'
import type { ShadowKeeper } from '../shadow/keeper.ts'
import type { TriggerDecision } from '../triggers/trigger.ts'
import { toModelView } from './model-view.ts'

export interface ControlParts {
  readonly registry: Registry
  readonly fleet: Fleet
  readonly lifecycle: Lifecycle
  readonly shadows: Pick<ShadowKeeper, 'progress'>
  readonly readings: Pick<ReadingsReader, 'series'>
  readonly definitions: readonly ModelDefinition[]
  /** Looks at the trigger without starting anything. */
  readonly lookAtTrigger: (definition: ModelDefinition) => Promise<TriggerDecision>
  /** Keeps a person's wish and lets the lifecycle look at once. */
  readonly askForTraining: (definition: ModelDefinition, reason: string) => Promise<void>
  readonly acceptRoot: (envelope: Envelope) => Promise<Result<{ readonly version: number }>>
  readonly passOnCommand: Control['passOnCommand']
  readonly openArtifact: (sha256: string) => Promise<StoredArtifact | undefined>
  /** Context length of a signed version, from its manifest. */
  readonly contextLength: (envelopeSha256: string) => Promise<number | null>
  /** Trials of a study in the artifact store. */
  readonly trialsOf: (studySha256: string) => Promise<number>
  /** Models that were made elsewhere. */
  readonly register: Pick<Control, 'upload' | 'register' | 'registrations'>
  readonly health: () => Pick<HealthView, 'broker' | 'problems'>
  readonly now: () => number
}

export interface ControlOptions {
  readonly site: string
  readonly version: string
  readonly startedAt: number
}

/** Events looked through for rounds, rollouts and alerts: some hundred rounds of a site. */
const eventsMax = 5_000
const alarmsMax = 200

export interface ControlView extends Control {
  /** Tells the watchers how far the triggers are: counts move without any event. */
  readonly refresh: () => Promise<void>
}

export const createControlView = (parts: ControlParts, options: ControlOptions): ControlView => {
  const { registry, fleet, lifecycle, definitions } = parts
  const listeners = new Set<(change: Change) => void>()
  const publish = (change: Change): void => {
    for (const listener of listeners) listener(change)
  }
  const definitionOf = (model: string) => definitions.find(({ name }) => name === model)

  const viewOf = (agent: Parameters<typeof toAgentView>[0]): AgentView =>
    toAgentView(agent, fleet.alarms(alarmsMax))

  const modelView = async (definition: ModelDefinition): Promise<ModelView> => {
    const { name } = definition
    const [champion, numbers, events, decision] = await Promise.all([
      registry.champion(name),
      registry.numbers(name),
      registry.runEvents(name),
      parts.lookAtTrigger(definition),
    ])
    const envelope = champion?.envelopeSha256 ?? null
    return toModelView({
      definition,
      versions: numbers.version,
      champion,
      contextLength: envelope === null ? null : await parts.contextLength(envelope),
      decision,
      progress: lifecycle.progress(name),
      shadow: parts.shadows.progress(name),
      latest: await latestOf(registry, events),
    })
  }

  const tellModel = (model: string): void => {
    const definition = definitionOf(model)
    if (definition === undefined || listeners.size === 0) return
    modelView(definition).then(
      (view) => publish({ kind: 'model', model: view }),
      () => undefined, // the next change tells it again
    )
  }

  registry.subscribe((event) => publish({ kind: 'audit', event }))
  lifecycle.subscribe(tellModel)
  fleet.subscribe((change) => {
    if (listeners.size === 0) return
    publish({ kind: 'agent', agent: viewOf(change.agent) })
    if (change.kind !== 'report') return
    for (const { name } of definitions) publish({ kind: 'forecasts', model: name })
  })

  return {
    refresh: async () => {
      if (listeners.size === 0) return
      for (const definition of definitions) publish({ kind: 'model', model: await modelView(definition) })
    },
    health: async () => {
      const agents = fleet.agents()
      const newest = parts.readings.series({ site: options.site }).map(({ lastAt }) => lastAt)
      const [last] = await registry.latestEvents(1)
      const { broker, problems } = parts.health()
      return {
        status: problems.length === 0 ? 'ok' : 'degraded',
        problems,
        version: options.version,
        site: options.site,
        startedAt: options.startedAt,
        now: parts.now(),
        broker,
        readingsAt: newest.length === 0 ? null : newest.reduce((a, b) => Math.max(a, b)),
        seq: last?.seq ?? 0,
        agentsOnline: agents.filter(({ presence }) => presence?.state === 'online').length,
        agentsKnown: agents.length,
      }
    },
    agents: async () => fleet.agents().map(viewOf),
    models: () => Promise.all(definitions.map(modelView)),
    versions: async (model) => {
      const [records, champion] = await Promise.all([registry.versions(model), registry.champion(model)])
      const surroundings = {
        champion: champion?.version,
        agents: fleet.agents(),
        performance: fleet.performance(model),
      }
      return records.map((record) => toVersionView(record, surroundings))
    },
    studies: async (model) => {
      const tuned = (await registry.versions(model)).filter(({ study }) => study !== null)
      return Promise.all(
        tuned.map(async ({ study, createdAt }) => ({
          study: study as string,
          model,
          startedAt: createdAt,
          trials: await parts.trialsOf(study as string),
        })),
      )
    },
    forecasts: async (model, meter) => {
      const samples = fleet.samples(model, meter)
      return {
        model,
        unit: definitionOf(model)?.unit ?? '',
        meters: [...new Set(fleet.samples(model).map((sample) => sample.meter))].toSorted(),
        samples: samples.map(({ model: _model, ...sample }) => sample),
      }
    },
    dataset: async (sha256) => {
      for (const { name } of definitions) {
        const found = (await registry.versions(name)).find(({ dataset }) => dataset.sha256 === sha256)
        if (found !== undefined) return found.dataset
      }
      return undefined
    },
    artifact: parts.openArtifact,
    rounds: async (limit) => toRounds(await registry.latestEvents(eventsMax)).slice(0, limit),
    rollouts: async (limit) => toRollouts(await registry.latestEvents(eventsMax)).slice(0, limit),
    alerts: async (limit) => toAlerts(await registry.latestEvents(eventsMax)).slice(0, limit),
    events: (range) => registry.events(range),
    latestEvents: (limit) => registry.latestEvents(limit),
    verifyChain: async () => {
      const verified = await registry.verify()
      if (verified.ok) return { intact: true, fault: null, ...verified.value }
      const { code, message } = verified.refusal
      return { intact: false, events: 0, headHash: null, fault: { code, message } }
    },
    retrain: async (model, reason) => {
      const definition = definitionOf(model)
      if (definition === undefined) return refuse('UNKNOWN_MODEL', `there is no model ${model}`)
      const { run } = lifecycle.progress(model)
      if (run !== null) return refuse('BUSY', `run ${run} of ${model} is under way`, 'wait for it to end')
      const started = nextRunOf(registry, model)
      await parts.askForTraining(definition, reason)
      const decision = await parts.lookAtTrigger(definition)
      const begun = await Promise.race([started.run, settleSoon(decision)])
      started.end()
      return begun === undefined ? notYet(decision) : accept({ run: begun })
    },
    ...parts.register,
    submitRoot: parts.acceptRoot,
    passOnCommand: parts.passOnCommand,
    subscribe: (listener) => {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
  }
}

/** Trigger and beginning of the latest run; one that a proof in shadow opened again has the trigger of its training. */
const latestOf = async (registry: Pick<Registry, 'version'>, events: readonly ChainedEvent[]) => {
  const [opening] = events
  if (opening === undefined) return undefined
  const { event, at: startedAt } = opening
  if (event.kind === 'retraining-triggered') return { trigger: event.trigger, startedAt }
  if (event.kind !== 'shadow-ended') return undefined
  const version = await registry.version(event.model, event.version)
  return version === undefined ? undefined : { trigger: version.trigger, startedAt }
}

/** The run that starts next, as soon as its first fact is written. */
const nextRunOf = (registry: Pick<Registry, 'subscribe'>, model: string) => {
  let end = (): void => undefined
  const run = new Promise<string | undefined>((resolve) => {
    end = registry.subscribe(({ event }) => {
      if (event.kind === 'retraining-triggered' && event.model === model) resolve(event.run)
    })
  })
  return { run, end }
}

/** A wish that has to wait is answered at once; one that may start is waited for. */
const settleSoon = (decision: TriggerDecision): Promise<undefined> =>
  decision.fire || decision.reason === 'RUNNING' ? new Promise(() => undefined) : Promise.resolve(undefined)

const notYet = (decision: TriggerDecision) => {
  const { progress } = decision
  if (progress.coolDownUntil !== null) {
    const until = new Date(progress.coolDownUntil).toISOString()
    return refuse('COOL_DOWN', `the last training is too recent`, `it is noted, and starts after ${until}`)
  }
  return refuse(
    'READINGS_MISSING',
    `${progress.readingsTotal} of the ${progress.readingsMin} readings that a training needs are there`,
    'it is noted, and starts when they are',
  )
}
