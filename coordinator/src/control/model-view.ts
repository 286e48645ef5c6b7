/** A model as people see it: its definition, its champion, how far the next training is, and what runs now. */

import type { ModelView } from '../api/views.ts'
import type { ModelDefinition } from '../lifecycle/definition.ts'
import type { RunProgress } from '../lifecycle/lifecycle.ts'
import type { Trigger } from '../registry/events.ts'
import type { VersionRecord } from '../registry/registry.ts'
import type { ShadowProgress } from '../shadow/keeper.ts'
import type { TriggerDecision } from '../triggers/trigger.ts'

export interface ModelFacts {
  readonly definition: ModelDefinition
  readonly versions: number
  readonly champion: VersionRecord | undefined
  readonly contextLength: number | null
  /** The latest look at the trigger; undefined before the first one. */
  readonly decision: TriggerDecision | undefined
  readonly progress: RunProgress
  readonly shadow: ShadowProgress | undefined
  /** Trigger and start of the latest run; undefined before the first one. */
  readonly latest: { readonly trigger: Trigger; readonly startedAt: number } | undefined
}

type RunView = NonNullable<ModelView['run']>

const phases: Readonly<Record<RunProgress['phase'], RunView['phase']>> = {
  waiting: 'queued',
  freezing: 'freezing',
  training: 'training',
  gating: 'gating',
  signing: 'signing',
  shadowing: 'signing',
  confirming: 'signing',
  assigning: 'publishing',
  deploying: 'rolling-out',
  closing: 'rolling-out',
}

export const toModelView = (facts: ModelFacts): ModelView => {
  const { definition, champion, decision, progress, latest } = facts
  const { name, quantity, unit, register, intervalMs, horizon, learner } = definition
  const figures = champion?.decision
  return {
    model: name,
    definition: {
      quantity,
      unit,
      register,
      intervalMs,
      contextLength: facts.contextLength,
      horizon,
      learners: [learner],
    },
    versions: facts.versions,
    champion:
      champion === undefined || figures === undefined || figures === null
        ? null
        : {
            version: champion.version,
            createdAt: champion.createdAt,
            figures: { ...figures.challenger, rows: figures.rows },
          },
    trigger: toTriggerView(definition, decision),
    shadow: facts.shadow ?? null,
    run:
      progress.run === null || latest === undefined
        ? null
        : {
            run: progress.run,
            phase: phases[progress.phase],
            progress: progress.fraction,
            detail: progress.detail,
            startedAt: latest.startedAt,
            trigger: latest.trigger,
          },
  }
}

const toTriggerView = (
  { trigger }: ModelDefinition,
  decision: TriggerDecision | undefined,
): ModelView['trigger'] => {
  if (decision === undefined) {
    return {
      readings: 0,
      threshold: trigger.volume,
      readingsTotal: 0,
      readingsMin: trigger.readingsMin,
      dueAt: null,
      intervalMs: trigger.intervalMs,
      lastTrainingAt: null,
      coolDownUntil: null,
      blocked: 'the readings have not been counted yet',
    }
  }
  return { ...decision.progress, blocked: decision.fire ? null : blockedBy[decision.reason] }
}

const blockedBy = {
  RUNNING: 'a training is running',
  READINGS_MISSING: 'there are not enough readings for a training yet',
  COOL_DOWN: 'the last training is too recent',
  NO_NEW_READINGS: 'nothing new has arrived since the last training',
  BELOW_THRESHOLD: null,
} as const
