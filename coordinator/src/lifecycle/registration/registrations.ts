/**
 * Models from elsewhere that wait for their turn: one run of a model at a time, so a file that comes while one is under
 * way stands in a queue that survives a kill. Its run has a name from the moment it is accepted. What is taken out of the
 * queue is what the registry says has started: a kill between the two can neither lose a registration nor start it twice.
 */

import { z } from 'zod'
import { accept, refuse, type Result } from '@imlma/protocol/result'
import { epochMsSchema, sha256Schema } from '@imlma/protocol/wire'
import type { Trigger } from '../../registry/events.ts'
import type { Registry } from '../../registry/registry.ts'
import type { StateStore } from '../../storage/states.ts'

const registrationSchema = z.object({
  run: z.string().min(1).max(64),
  artifactSha256: sha256Schema,
  /** The record of its contract in the artifact store. */
  contractSha256: sha256Schema,
  note: z.string().max(500),
  by: z.string().max(200),
  at: epochMsSchema,
})
export type Registration = z.infer<typeof registrationSchema>

export interface Registrations {
  /** First come, first served. */
  readonly waiting: (model: string) => Promise<readonly Registration[]>
  /**
   * Durable on return. The same file under the same contract is one registration, however often it is sent while it
   * waits; the answer is the one that waits. Refuses QUEUE_FULL.
   */
  readonly add: (model: string, registration: Registration) => Promise<Result<Registration, 'QUEUE_FULL'>>
  /** The trigger of the run that is next; undefined where nothing waits. */
  readonly next: (model: string, now: number) => Promise<Trigger | undefined>
  /** Its run has begun: safe to be told again after a kill. */
  readonly started: (model: string, trigger: Trigger) => Promise<void>
}

const room = 'registrations'

/** Each costs a run of minutes at the most; more than these is somebody's loop. */
const waitingMax = 8

export const createRegistrations = (
  states: StateStore,
  registry: Pick<Registry, 'runEvents'>,
): Registrations => {
  const load = async (model: string): Promise<readonly Registration[]> =>
    (await states.load(room, model, z.array(registrationSchema))) ?? []

  // One change at a time: two that come together must both be kept.
  let turn: Promise<unknown> = Promise.resolve()
  const inTurn = <Value>(work: () => Promise<Value>): Promise<Value> => {
    const result = turn.then(work)
    turn = result.catch(() => undefined)
    return result
  }

  return {
    waiting: load,
    add: (model, registration) =>
      inTurn(async () => {
        const queue = await load(model)
        const same = queue.find(
          ({ artifactSha256, contractSha256 }) =>
            artifactSha256 === registration.artifactSha256 && contractSha256 === registration.contractSha256,
        )
        if (same !== undefined) return accept(same)
        if (queue.length >= waitingMax) {
          return refuse(
            'QUEUE_FULL',
            `${queue.length} registrations of ${model} wait already`,
            'send it again when some of them are decided',
          )
        }
        await states.save(room, model, [...queue, registration], registration.at)
        return accept(registration)
      }),
    next: async (model, now) => {
      const queue = await load(model)
      if (queue.length === 0) return undefined
      // One whose run has begun and that could not be taken out then (a full disk) has had its turn.
      const [opened] = await registry.runEvents(model)
      const begun = opened !== undefined && 'run' in opened.event ? opened.event.run : undefined
      const first = queue.find(({ run }) => run !== begun)
      return first === undefined ? undefined : toTrigger(first, now)
    },
    started: (model, trigger) =>
      inTurn(async () => {
        const registered = registeredIn(trigger)
        if (registered === undefined) return
        const queue = await load(model)
        const left = queue.filter(({ run }) => run !== registered.run)
        if (left.length < queue.length) await states.save(room, model, left, trigger.at)
      }),
  }
}

/** What a run is about whose trigger was a registration; undefined for every other one. */
export const registeredIn = ({
  evidence,
}: Pick<Trigger, 'evidence'>):
  Pick<Registration, 'run' | 'artifactSha256' | 'contractSha256'> | undefined => {
  const { registered, contract, run } = evidence
  return typeof registered === 'string' && typeof contract === 'string' && typeof run === 'string'
    ? { run, artifactSha256: registered, contractSha256: contract }
    : undefined
}

const toTrigger = (
  { run, artifactSha256, contractSha256, note, by, at }: Registration,
  now: number,
): Trigger => ({
  kind: 'manual',
  at: now,
  evidence: {
    registered: artifactSha256,
    contract: contractSha256,
    run,
    note,
    by,
    requestedAt: at,
    detectMs: Math.max(0, now - at),
  },
})
