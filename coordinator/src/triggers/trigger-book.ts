/**
 * The triggers of all models with what they must remember: whatever changes is on disk before the answer goes out,
 * so counts, due times and a person's wish survive a kill.
 */

import type { Trigger } from '../registry/events.ts'
import type { StateStore } from '../storage/states.ts'
import {
  newTriggerState,
  triggerStateSchema,
  type TriggerLook,
  type TriggerOptions,
  type TriggerState,
} from './trigger-state.ts'
import { decideTrigger, startedBy, type TriggerDecision } from './trigger.ts'

/** One model's trigger as its definition says it. */
export interface TriggeredModel {
  readonly name: string
  readonly trigger: TriggerOptions
}

export interface TriggerBook {
  readonly look: (model: TriggeredModel, look: Omit<TriggerLook, 'lookedAt'>) => Promise<TriggerDecision>
  /** Counts from this training on; safe to call again with the same trigger. */
  readonly started: (model: TriggeredModel, trigger: Trigger) => Promise<void>
  /** Remembered until a training starts; the latest reason counts. */
  readonly request: (
    model: TriggeredModel,
    kind: 'manual' | 'drift',
    reason: string,
    at: number,
  ) => Promise<void>
}

const room = 'triggers'

export const createTriggerBook = (states: StateStore): TriggerBook => {
  const known = new Map<string, TriggerState>()
  const lookedAt = new Map<string, number>()

  const stateOf = async ({ name, trigger }: TriggeredModel, now: number): Promise<TriggerState> => {
    const state = known.get(name) ?? (await states.load(room, name, triggerStateSchema))
    if (state !== undefined) {
      known.set(name, state)
      return state
    }
    // Written at once: an interval counts from the first time that we saw the model, not from each start.
    const fresh = newTriggerState(now, trigger)
    await keep(name, fresh, now)
    return fresh
  }

  const keep = async (name: string, state: TriggerState, at: number): Promise<void> => {
    if (JSON.stringify(known.get(name)) !== JSON.stringify(state)) await states.save(room, name, state, at)
    known.set(name, state)
  }

  // One change at a time: a wish that comes during a look must not be overwritten by it.
  let turn: Promise<unknown> = Promise.resolve()
  const inTurn = <Value>(work: () => Promise<Value>): Promise<Value> => {
    const result = turn.then(work)
    turn = result.catch(() => undefined)
    return result
  }

  return {
    look: (model, look) =>
      inTurn(async () => {
        const { name, trigger } = model
        const before = lookedAt.get(name)
        const seen = before === undefined ? look : { ...look, lookedAt: before }
        const decision = decideTrigger(await stateOf(model, look.now), seen, trigger)
        lookedAt.set(name, look.now)
        await keep(name, decision.state, look.now)
        return decision
      }),
    started: (model, trigger) =>
      inTurn(async () => {
        const state = await stateOf(model, trigger.at)
        await keep(model.name, startedBy(state, trigger, model.trigger), trigger.at)
      }),
    request: (model, kind, reason, at) =>
      inTurn(async () => {
        const state = await stateOf(model, at)
        await keep(model.name, { ...state, [kind]: { at, reason: reason.slice(0, 500) } }, at)
      }),
  }
}
