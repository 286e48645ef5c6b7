/** A control centre in memory that answers like the real one: for tests, and for working on the page without a fleet. */

import { accept, refuse } from '@imlma/protocol/result'
import type { ChainedEvent, RegistryEvent } from '../../registry/events.ts'
import { toAgentView } from '../agent-view.ts'
import { toAlerts } from '../alerts.ts'
import type { Change, Control } from '../control.ts'
import { toRollouts } from '../rollouts.ts'
import { toRounds } from '../rounds.ts'
import { toVersionView } from '../version-view.ts'
import type { AgentView, ModelView } from '../views.ts'
import {
  fixtureAgents,
  fixtureAlarms,
  fixtureMeters,
  fixturePerformance,
  fixtureSamples,
} from './fleet-fixture.ts'
import { fakeSha256 } from './random.ts'
import { storyModel } from './chapters.ts'
import { tellStory } from './story.ts'
import { toVersionRecords } from './version-records.ts'

export interface ControlFixture extends Control {
  /** Appends an event to the chain and tells the watchers. */
  readonly tell: (event: RegistryEvent, at: number) => ChainedEvent
  /** More readings, fresh heartbeats: what a live site does all the time. */
  readonly advance: (readings: number, now: number) => void
  /** What was asked for, in order. */
  readonly asked: readonly string[]
  /** How many listen at the moment. */
  readonly watchers: () => number
}

export interface FixtureOptions {
  readonly now: number
  /** Nothing has happened yet: no agent, no version. */
  readonly empty?: boolean
  /** The undecided version of the story is in shadow. */
  readonly inShadow?: boolean
}

const fixtureShadow: ModelView['shadow'] = {
  version: 5,
  champion: 6,
  days: 11,
  daysMax: 90,
  pairs: 25_344,
  latePairs: 12,
  agents: 3,
  evidence: 5.08,
  worse: 0.21,
  needed: 40,
}

export const createControlFixture = ({
  now: startedAt,
  empty = false,
  inShadow = false,
}: FixtureOptions): ControlFixture => {
  let now = startedAt
  let readings = empty ? 0 : 27_840
  let run: ModelView['run'] = null
  const events: ChainedEvent[] = empty ? [] : [...tellStory(startedAt)]
  const asked: string[] = []
  const listeners = new Set<(change: Change) => void>()
  const publish = (change: Change) => listeners.forEach((listener) => listener(change))
  const agents = (): readonly AgentView[] =>
    empty ? [] : fixtureAgents(now).map((record) => toAgentView(record, fixtureAlarms(startedAt)))
  const versions = () => {
    const records = toVersionRecords(events)
    const champion = records.findLast(({ state }) => state === 'promoted')?.version
    const surroundings = { champion, agents: fixtureAgents(now), performance: fixturePerformance() }
    return records.map((record) => toVersionView(record, surroundings))
  }
  const model = (): ModelView => {
    const champion = versions().find((version) => version.champion)
    return {
      model: storyModel,
      definition: {
        quantity: 'active energy',
        unit: 'kWh',
        register: '1-0:1.8.0',
        intervalMs: 900_000,
        contextLength: 672,
        horizon: 96,
        learners: ['ridge', 'seasonal-naive'],
      },
      versions: versions().length,
      champion:
        champion === undefined || champion.figures === null
          ? null
          : { version: champion.version, createdAt: champion.createdAt, figures: champion.figures },
      trigger: {
        readings,
        threshold: 40_000,
        readingsTotal: 201_600 + readings,
        readingsMin: 20_000,
        dueAt: startedAt + 712_000,
        intervalMs: 900_000,
        lastTrainingAt: empty ? null : startedAt - 180_000,
        coolDownUntil: null,
        blocked: null,
      },
      shadow: inShadow ? fixtureShadow : null,
      run,
    }
  }
  const tell = (event: RegistryEvent, at: number): ChainedEvent => {
    const seq = events.length + 1
    const previousHash = events.at(-1)?.hash ?? '0'.repeat(64)
    const chained = { seq, at, event, previousHash, hash: fakeSha256(`event ${seq}`) }
    events.push(chained)
    publish({ kind: 'audit', event: chained })
    return chained
  }

  return {
    tell,
    asked,
    watchers: () => listeners.size,
    advance: (more, at) => {
      now = at
      readings += more
      publish({ kind: 'model', model: model() })
      for (const agent of agents()) publish({ kind: 'agent', agent })
      publish({ kind: 'forecasts', model: storyModel })
    },
    health: async () => ({
      status: 'ok',
      problems: [],
      version: '0.1.0',
      site: 'demo',
      startedAt: startedAt - 3_600_000,
      now,
      broker: { url: 'mqtt://127.0.0.1:1883', connected: true },
      readingsAt: empty ? null : now - 20_000,
      seq: events.length,
      agentsOnline: agents().filter(({ presence }) => presence === 'online').length,
      agentsKnown: agents().length,
    }),
    agents: async () => agents(),
    models: async () => [model()],
    versions: async (name) => (name === storyModel ? versions() : []),
    studies: async () => [],
    forecasts: async (forModel, meter) => ({
      model: forModel,
      unit: 'kWh',
      meters: empty ? [] : [...fixtureMeters],
      samples: empty
        ? []
        : fixtureSamples(now)
            .filter((sample) => meter === undefined || sample.meter === meter)
            .map(({ meter: name, at, step, forecast, actual, low, high, version, agent }) => ({
              meter: name,
              at,
              step,
              forecast,
              actual,
              low,
              high,
              version,
              agent,
            })),
    }),
    dataset: async (sha256) => versions().find(({ dataset }) => dataset.sha256 === sha256)?.dataset,
    artifact: async (sha256) => {
      if (versions().every(({ artifact }) => artifact.sha256 !== sha256)) return undefined
      const content = new TextEncoder().encode('not really a model')
      return { bytes: content.byteLength, stream: () => new Blob([content]).stream() }
    },
    rounds: async (limit) => toRounds(events).slice(0, limit),
    rollouts: async (limit) => toRollouts(events).slice(0, limit),
    alerts: async (limit) => toAlerts(events.toReversed()).slice(0, limit),
    events: async ({ fromSeq, limit }) => events.filter(({ seq }) => seq >= fromSeq).slice(0, limit),
    latestEvents: async (limit) => events.slice(-limit).toReversed(),
    verifyChain: async () => ({
      intact: true,
      events: events.length,
      headHash: events.at(-1)?.hash ?? null,
      fault: null,
    }),
    retrain: async (name, reason) => {
      asked.push(`retrain ${name}: ${reason}`)
      if (run !== null) return refuse('BUSY', `${run.run} is under way`, 'wait for it to end')
      const trigger = { kind: 'manual', evidence: { reason }, at: now } as const
      run = { run: 'run-7', phase: 'training', progress: 0.4, detail: 'ridge, λ 30', startedAt: now, trigger }
      tell({ kind: 'retraining-triggered', model: name, run: 'run-7', trigger }, now)
      publish({ kind: 'model', model: model() })
      return accept({ run: 'run-7' })
    },
    upload: async (sha256, content) => {
      let bytes = 0
      for await (const part of content) bytes += part.byteLength
      asked.push(`upload ${sha256.slice(0, 8)}: ${bytes} bytes`)
      return bytes === 0 ? refuse('HASH_MISMATCH', 'nothing arrived', 'send it again') : accept({ bytes })
    },
    register: async (name, { artifact, note, by }) => {
      asked.push(`register ${artifact.slice(0, 8)} for ${name}: ${note} (${by})`)
      return accept({ run: 'run-8', waitsFor: run === null ? 0 : 1 })
    },
    registrations: async () => [],
    submitRoot: async (envelope) => {
      asked.push(`root with ${envelope.signatures.length} signature(s)`)
      return envelope.signatures.length > 1
        ? accept({ version: 3 })
        : refuse(
            'BAD_SIGNATURE',
            '1 of 2 signatures of role root verify',
            'sign with the old and the new key',
          )
    },
    passOnCommand: async ({ payload }, by) => {
      const command = JSON.parse(atob(payload)) as { commandId: string; agents: string[] }
      asked.push(`command ${JSON.stringify(command)} (${by})`)
      return accept({ commandId: command.commandId, agents: command.agents })
    },
    subscribe: (listener) => {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
  }
}
