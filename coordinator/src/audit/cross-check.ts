/**
 * Does the log of an agent say what the control centre has seen? Two records of the same facts, on two machines:
 *
 *   seen here, not in its log      somebody else spoke for the agent, or its log was rewritten
 *   in its log, otherwise here     the same
 *   an assignment never sealed     somebody has the director's key
 *   a command's end never seen     the control centre was stopped: it is learned from the log
 */

import { z } from 'zod'
import type { AuditEntry } from '@imlma/protocol/audit'
import { epochMsSchema, nameSchema } from '@imlma/protocol/wire'

/** Facts remembered of one agent, of each kind: what came last is what can still be compared. */
const rememberedMax = 256
/** Assignments remembered of one agent: it takes one after the other. */
const sealedMax = 32

const commandEndSchema = z.object({
  commandId: nameSchema,
  state: z.string().max(32),
  code: z.string().max(64).nullable(),
  detail: z.string().max(500),
})
export type CommandEnd = Readonly<z.infer<typeof commandEndSchema>>

export const crossCheckSchema = z.object({
  v: z.literal(1),
  /** Seen here and not in the log yet. */
  expected: z.array(z.object({ key: z.string().max(300), since: epochMsSchema })).max(rememberedMax),
  /** In the log already. */
  logged: z.array(z.string().max(300)).max(rememberedMax),
  /** How commands ended, as it was seen here. */
  seen: z.array(commandEndSchema).max(rememberedMax),
  /** How commands ended, as the log says and nobody has seen yet. */
  unseen: z.array(commandEndSchema.extend({ since: epochMsSchema })).max(rememberedMax),
  /** What was sealed for this agent: digests of signed payloads. */
  sealed: z.array(z.object({ counter: z.number().int(), digest: z.string().max(64) })).max(sealedMax),
  /** The place of its log that the registry names last. */
  anchored: z.object({ log: z.string().max(64), seq: z.number().int().min(0), at: epochMsSchema }).nullable(),
})
export type CrossCheck = z.infer<typeof crossCheckSchema>

export const emptyCrossCheck: CrossCheck = {
  v: 1,
  expected: [],
  logged: [],
  seen: [],
  unseen: [],
  sealed: [],
  anchored: null,
}

/** What does not agree, with what a person needs to look further. */
export interface Mismatch {
  readonly detail: string
  readonly seq: number | null
}

export interface Checked {
  readonly state: CrossCheck
  readonly mismatches: readonly Mismatch[]
  /** Ends of commands that only the log knows. */
  readonly learned: readonly CommandEnd[]
}

const final: readonly string[] = ['succeeded', 'failed', 'refused']

const commandKey = (commandId: string, state: string): string => `command ${commandId} ${state}`
export const deploymentKey = (model: string, version: number, state: string): string =>
  `deployment ${model} ${version} ${state}`

/** Something was seen that the agent must have written down before it said it. */
export const expectFact = (state: CrossCheck, key: string, now: number): CrossCheck =>
  state.logged.includes(key) || state.expected.some((each) => each.key === key)
    ? state
    : { ...state, expected: [...state.expected, { key, since: now }].slice(-rememberedMax) }

/** A command's end was seen. A refusal may be the answer to a forgery, which the log only counts. */
export const seeCommand = (state: CrossCheck, end: CommandEnd, now: number): CrossCheck => {
  const next = {
    ...state,
    seen: [...state.seen, end].slice(-rememberedMax),
    unseen: state.unseen.filter(({ commandId }) => commandId !== end.commandId),
  }
  return end.state === 'refused' ? next : expectFact(next, commandKey(end.commandId, end.state), now)
}

export const noteSealed = (state: CrossCheck, counter: number, digest: string): CrossCheck => ({
  ...state,
  sealed: [...state.sealed, { counter, digest }].slice(-sealedMax),
})

export const isSealed = ({ sealed }: CrossCheck, counter: number, digest: string): boolean =>
  sealed.some((each) => each.counter === counter && each.digest === digest)

/** Takes an entry of the log in, in order. */
export const takeEntry = (state: CrossCheck, { seq, fact }: AuditEntry, now: number): Checked => {
  const { details } = fact
  const text = (name: string): string => String(details[name] ?? '')
  if (fact.kind === 'desired-accepted') {
    const mismatch = judgeAccepted(state, Number(details['counter']), text('digest'))
    return { state, mismatches: mismatch === undefined ? [] : [{ detail: mismatch, seq }], learned: [] }
  }
  if (fact.kind === 'deployment') {
    const key = deploymentKey(text('model'), Number(details['version']), text('state'))
    return { state: tickOff(state, key), mismatches: [], learned: [] }
  }
  // Only what was verified and entered has a key; refusals of forgeries have none.
  if (fact.kind !== 'command' || !final.includes(text('state')) || details['key'] === undefined) {
    return { state, mismatches: [], learned: [] }
  }
  const parsed = commandEndSchema.safeParse({
    commandId: details['commandId'],
    state: details['state'],
    code: details['code'] ?? null,
    detail: text('detail'),
  })
  return parsed.success
    ? takeCommandEnd(state, parsed.data, { seq, now })
    : { state, mismatches: [], learned: [] }
}

const takeCommandEnd = (
  state: CrossCheck,
  end: CommandEnd,
  { seq, now }: { readonly seq: number; readonly now: number },
): Checked => {
  const ticked = tickOff(state, commandKey(end.commandId, end.state))
  const seen = state.seen.filter(({ commandId }) => commandId === end.commandId)
  if (seen.length === 0) {
    return {
      state: { ...ticked, unseen: [...ticked.unseen, { ...end, since: now }].slice(-rememberedMax) },
      mismatches: [],
      learned: [],
    }
  }
  const last = seen.at(-1) as CommandEnd
  const agrees = seen.some((each) => each.state === end.state)
  const detail = `command ${end.commandId} ${end.state} by its log; here it was seen as ${last.state}`
  return { state: ticked, mismatches: agrees ? [] : [{ detail, seq }], learned: [] }
}

/** Of what was sealed before this control centre remembers, it says nothing. */
const judgeAccepted = ({ sealed }: CrossCheck, counter: number, digest: string): string | undefined => {
  const lowest = sealed.reduce((least, each) => Math.min(least, each.counter), Infinity)
  if (counter < lowest || sealed.some((each) => each.counter === counter && each.digest === digest))
    return undefined
  return sealed.some((each) => each.counter === counter)
    ? `the agent accepted another assignment ${counter} than was sealed here (digest ${digest})`
    : `the agent accepted an assignment ${counter} that was never sealed here (digest ${digest})`
}

const tickOff = (state: CrossCheck, key: string): CrossCheck => ({
  ...state,
  expected: state.expected.filter((each) => each.key !== key),
  logged: [...state.logged, key].slice(-rememberedMax),
})

/**
 * The whole log is here up to now. What was seen `graceMs` ago and is not in it was not said by this agent; what it says
 * and nobody has seen since then was said while nobody listened.
 */
export const settle = (state: CrossCheck, now: number, graceMs: number): Checked => {
  const isOver = ({ since }: { readonly since: number }): boolean => now - since >= graceMs
  return {
    state: {
      ...state,
      expected: state.expected.filter((each) => !isOver(each)),
      unseen: state.unseen.filter((each) => !isOver(each)),
    },
    mismatches: state.expected
      .filter(isOver)
      .map(({ key }) => ({ detail: `seen here, and not in the log of the agent: ${key}`, seq: null })),
    learned: state.unseen
      .filter(isOver)
      .map(({ commandId, state: ended, code, detail }) => ({ commandId, state: ended, code, detail })),
  }
}
