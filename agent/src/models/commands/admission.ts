/**
 * May this agent carry out a command that came over the wire? The checks in the order in which they are made:
 *
 *   RETAINED → TOO_LARGE, MALFORMED → BAD_SIGNATURE, UNKNOWN_KEY, NOT_AUTHORISED → WRONG_TARGET → (known already)
 *   → NOT_YET_VALID → EXPIRED → REPLAYED
 *
 * One technician may command one gateway; a command to several, or to the whole site, needs two people (or as many as the
 * root's `groupThreshold` says), because one stolen key must not be able to set a fleet back.
 *
 * A command that is known gets its stored result again, also after it has expired. Without trusted time, what brings
 * nothing new (rollback, pin, unpin, quarantine, report) is not held against the clock: the counter of its key still is.
 */

import { accept, refuse, type Result } from '@imlma/protocol/result'
import {
  groupThresholdDefault,
  openEnvelope,
  parseEnvelope,
  readSignatures,
  type TrustRoot,
  type VerifySignature,
} from '@imlma/protocol/trust'
import {
  commandPayloadType,
  commandSchema,
  type Command,
  type CommandRefusal,
  type Operation,
} from '@imlma/protocol/wire'
import type { ControlMessage } from '../../link/link.ts'
import type { Clock } from '../../clock/clock.ts'
import type { CommandRecord, Ledger } from '../agent-state.ts'

export interface CommandTerms {
  readonly root: TrustRoot
  readonly verify: VerifySignature
  readonly site: string
  readonly agent: string
  readonly clock: Clock
  readonly ledger: Ledger
}

export type CommandDecision =
  /** Seen before: the stored result is said again, nothing is done. */
  | { readonly kind: 'known'; readonly record: CommandRecord }
  /** `keyids`: the technicians' keys that signed it; its counter is above the highest of each. */
  | { readonly kind: 'new'; readonly command: Command; readonly keyids: readonly string[] }

export const admitCommand = (
  message: ControlMessage,
  { root, verify, site, agent, clock, ledger }: CommandTerms,
): Result<CommandDecision, CommandRefusal> => {
  if (message.retained) return refuse('RETAINED', 'a stored command is never carried out: send it unretained')
  const parsed = parseEnvelope(message.payload)
  if (!parsed.ok) return parsed
  const terms = {
    payloadType: commandPayloadType,
    schema: commandSchema,
    root,
    role: 'technician',
    verify,
  } as const
  const opened = openEnvelope(parsed.value, terms)
  if (!opened.ok) return opened
  const command = opened.value
  const { keyids, persons } = readSignatures(parsed.value, terms)
  const enough = checkPersons(command, persons.length, root)
  if (!enough.ok) return enough

  const target = checkTarget(command, message.id, site, agent)
  if (!target.ok) return target
  const record = ledger.known.find(({ commandId }) => commandId === command.commandId)
  if (record !== undefined) return accept({ kind: 'known', record })
  clock.prove('technician', keyids, command.notBefore)
  const validity = checkValidity(command, clock)
  if (!validity.ok) return validity
  const highest = Math.max(0, ...keyids.map((keyid) => ledger.highest[keyid] ?? 0))
  if (command.counter <= highest) {
    return refuse('REPLAYED', `counter ${command.counter} is not above ${highest}`, 'sign it anew')
  }
  return accept({ kind: 'new', command, keyids })
}

const checkPersons = (
  { agents }: Command,
  persons: number,
  root: TrustRoot,
): Result<void, 'NOT_AUTHORISED'> => {
  const names: readonly string[] = agents
  const isGroup = names.includes('*') || new Set(names).size > 1
  const needed = isGroup ? (root.roles.technician.groupThreshold ?? groupThresholdDefault) : 1
  return persons >= needed
    ? accept(undefined)
    : refuse(
        'NOT_AUTHORISED',
        `a command to more than one agent needs ${needed} people, ${persons} signed it`,
        'have a second technician approve it (imlma approve), or command one agent at a time',
      )
}

const checkTarget = (
  { commandId, site, agents }: Command,
  topicId: string | undefined,
  ownSite: string,
  ownName: string,
): Result<void, 'WRONG_TARGET'> => {
  if (commandId !== topicId)
    return refuse('WRONG_TARGET', `sent as ${topicId ?? 'nothing'}, signed as ${commandId}`)
  const names: readonly string[] = agents
  const isNamed = names.includes(ownName) || (names.length === 1 && names[0] === '*')
  return site === ownSite && isNamed
    ? accept(undefined)
    : refuse('WRONG_TARGET', `signed for ${site}/${names.slice(0, 3).join(',')}`)
}

/** Reading back what is in the outbox may be a lot of traffic: it waits for a clock. */
const needsTime: readonly Operation[] = ['resend']

const checkValidity = (
  { notBefore, expiresAt, operation }: Command,
  clock: Clock,
): Result<void, 'NOT_YET_VALID' | 'EXPIRED'> => {
  if (!clock.trusted() && !needsTime.includes(operation)) return accept(undefined)
  const now = clock.now()
  if (now < notBefore) return refuse('NOT_YET_VALID', `valid from ${new Date(notBefore).toISOString()}`)
  if (now > expiresAt) return refuse('EXPIRED', `expired ${new Date(expiresAt).toISOString()}`)
  return accept(undefined)
}
