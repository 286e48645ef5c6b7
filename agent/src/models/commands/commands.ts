/**
 * Carries out a technician's commands, each once. The command, its counter, what it did to the machine and its result
 * are one write: after a power cut either all of it happened or nothing, and nothing has to be guessed.
 */

import { accept, Failure, refuse, type Result } from '@imlma/protocol/result'
import type { VerifySignature } from '@imlma/protocol/trust'
import type { Command, CommandRefusal, CommandResult } from '@imlma/protocol/wire'
import type { ControlMessage } from '../../link/link.ts'
import type { Clock } from '../../clock/clock.ts'
import { toInstalled } from '../admission.ts'
import { deploymentOf } from '../agent-state.ts'
import type { ModelsAudit } from '../audit-facts.ts'
import type { Directive } from '../deployment-state.ts'
import type { MachineRoom, Raised } from '../machine-room.ts'
import { alarmKindOf } from '../reasons.ts'
import type { ModelStore } from '../store.ts'
import type { Trust } from '../trust.ts'
import { admitCommand } from './admission.ts'
import { conclude, enter, isOver } from './ledger.ts'
import { toDirective, type OnDisk } from './operations.ts'
import { toResult } from './results.ts'

export interface CommandsParts {
  readonly room: MachineRoom
  readonly store: ModelStore
  readonly trust: Trust
  readonly clock: Clock
  readonly raise: (alarm: Raised) => void
  /** Sends a result; it may be sent again later. */
  readonly say: (result: CommandResult) => void
  /** Publishes `reported` now. */
  readonly report: () => void
  /** Sends readings from a sequence on once more; absent where no outbox is attached. */
  readonly resend?: (fromSequence: number) => Promise<Result<string>>
  readonly audit: ModelsAudit
}

interface Address {
  readonly site: string
  readonly agent: string
  readonly verify: VerifySignature
}

/** Refusals that may be an attack: somebody else than the technician should hear of them. */
const suspicious: readonly CommandRefusal[] = [
  'BAD_SIGNATURE',
  'UNKNOWN_KEY',
  'NOT_AUTHORISED',
  'REPLAYED',
  'RETAINED',
]

/** Takes a message of `command/{commandId}`. Run it inside `room.exclusively`. Throws `Failure` where the disk does not take it. */
export const createCommands = (parts: CommandsParts, address: Address) => {
  const { room, store, trust, clock, raise, say, report, resend, audit } = parts

  const resultOf = (commandId: string, said: Parameters<typeof toResult>[3]): CommandResult =>
    toResult(room.state(), commandId, clock.now(), said)

  const refuseMessage = (id: string | undefined, code: CommandRefusal, detail: string): void => {
    audit.record('command', { commandId: id ?? null, state: 'refused', code, detail })
    if (suspicious.includes(code)) {
      const evidence = { code, detail: detail.slice(0, 500), channel: 'command', commandId: id ?? null }
      raise({
        model: null,
        version: null,
        kind: alarmKindOf(code),
        level: 'act',
        value: null,
        limit: null,
        evidence,
      })
    }
    if (id === undefined) return
    // A forged message must not speak over the result of the command whose name it took.
    const record = room.state().commands.known.find(({ commandId }) => commandId === id)
    say(record?.result ?? resultOf(id, { state: 'refused', code, detail }))
  }

  /** The model's verified versions on this disk; artifacts are hashed again when they are used. */
  const onDisk = async (model: string): Promise<readonly OnDisk[]> => {
    const found: OnDisk[] = []
    for (const sha256 of await store.digests()) {
      const manifest = await trust.openInstalled(model, sha256)
      if (!manifest.ok) continue
      found.push({
        installed: toInstalled(manifest.value),
        hasArtifact: await store.has(sha256),
        shadowOnly: manifest.value.mode === 'shadow',
      })
    }
    return found
  }

  const toModelDirective = async (
    command: Command,
  ): Promise<Result<readonly [string, Directive], CommandRefusal>> => {
    const { model } = command
    if (model === null) return refuse('MALFORMED', `${command.operation} needs a model`)
    if (!Object.hasOwn(room.state().models, model))
      return refuse('UNKNOWN_VERSION', `${model} was never here`)
    const directive = toDirective(command, deploymentOf(room.state(), model), await onDisk(model))
    return directive.ok ? accept([model, directive.value]) : directive
  }

  /** One write: the command is entered with `result`, and the machine steps. */
  const carryOut = async (
    command: Command,
    keyids: readonly string[],
    result: CommandResult,
    event?: readonly [string, Directive],
  ): Promise<void> =>
    room.transact(event === undefined ? [] : [event], (state) => ({
      ...state,
      commands: enter(state.commands, command, keyids, result),
    }))

  const settle = async (result: CommandResult): Promise<void> => {
    await room.transact([], (state) => ({ ...state, commands: conclude(state.commands, result) }))
  }

  const executeOnModel = async (command: Command, keyids: readonly string[]): Promise<void> => {
    const { commandId, operation } = command
    const directive = await toModelDirective(command)
    if (!directive.ok) {
      const { code, message } = directive.refusal
      return carryOut(command, keyids, resultOf(commandId, { state: 'refused', code, detail: message }))
    }
    // A rollback ends when the machine says so; the others are done with this write.
    await carryOut(command, keyids, resultOf(commandId, { state: 'executing' }), directive.value)
    if (operation !== 'rollback') await settle(resultOf(commandId, { state: 'succeeded', detail: operation }))
  }

  const executeElsewhere = async (command: Command, keyids: readonly string[]): Promise<void> => {
    const { commandId, operation, target } = command
    await carryOut(command, keyids, resultOf(commandId, { state: 'executing' }))
    if (operation === 'report') {
      report()
      return settle(resultOf(commandId, { state: 'succeeded', detail: operation }))
    }
    if (resend === undefined) {
      return settle(
        resultOf(commandId, { state: 'refused', code: 'NOT_SUPPORTED', detail: 'no outbox is attached' }),
      )
    }
    if (typeof target !== 'number') {
      return settle(
        resultOf(commandId, { state: 'refused', code: 'MALFORMED', detail: 'resend needs a sequence' }),
      )
    }
    const sent = await resend(target)
    await settle(
      resultOf(
        commandId,
        sent.ok
          ? { state: 'succeeded', detail: sent.value }
          : { state: 'refused', code: sent.refusal.code, detail: sent.refusal.message },
      ),
    )
  }

  return {
    command: async (message: ControlMessage): Promise<void> => {
      const terms = { ...address, root: trust.current(), clock, ledger: room.state().commands }
      const admitted = admitCommand(message, terms)
      if (!admitted.ok) return refuseMessage(message.id, admitted.refusal.code, admitted.refusal.message)
      if (admitted.value.kind === 'known') return say(admitted.value.record.result)
      const { command, keyids } = admitted.value
      audit.recordOnce(`command ${command.commandId} accepted`, 'command', {
        commandId: command.commandId,
        state: 'accepted',
        operation: command.operation,
        model: command.model,
        target: command.target,
        reason: command.reason,
        keyids: keyids.join(' '),
      })
      say(resultOf(command.commandId, { state: 'accepted' }))
      const isElsewhere = command.operation === 'report' || command.operation === 'resend'
      try {
        await (isElsewhere ? executeElsewhere(command, keyids) : executeOnModel(command, keyids))
      } catch (cause) {
        // What could not be written down was not done; whoever waits must hear of it all the same.
        if (!(cause instanceof Failure)) throw cause
        say(resultOf(command.commandId, { state: 'failed', code: cause.code, detail: cause.message }))
        throw cause
      }
    },

    /** After a start: what was interrupted and is carried on by no machine has failed, and was not done twice. */
    resume: async (): Promise<void> => {
      const { commands, models } = room.state()
      const carriedOn = Object.values(models).flatMap((state) =>
        state.phase !== 'idle' && state.attempt.origin.kind === 'rollback'
          ? [state.attempt.origin.commandId]
          : [],
      )
      for (const record of commands.known) {
        if (isOver(record) || carriedOn.includes(record.commandId)) continue
        const detail = 'the agent was restarted while it was carried out'
        await settle(resultOf(record.commandId, { state: 'failed', code: 'INTERRUPTED', detail }))
      }
    },
  }
}
