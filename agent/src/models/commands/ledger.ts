/** The memory of commands: which ids and counters were seen, and what each command came to. */

import type { Command, CommandResult } from '@imlma/protocol/wire'
import { commandsKnownMax, type CommandRecord, type Ledger } from '../agent-state.ts'

/** The ledger with a command that is about to be carried out, and its counter with every key that signed it. */
export const enter = (
  ledger: Ledger,
  { commandId, counter }: Command,
  keyids: readonly string[],
  result: CommandResult,
): Ledger => ({
  highest: { ...ledger.highest, ...Object.fromEntries(keyids.map((keyid) => [keyid, counter])) },
  known: bounded([...ledger.known, { commandId, result, delivered: false }]),
})

/** The ledger with a command's latest result. */
export const conclude = (ledger: Ledger, result: CommandResult): Ledger => ({
  ...ledger,
  known: ledger.known.map((record) =>
    record.commandId === result.commandId ? { ...record, result, delivered: false } : record,
  ),
})

/** The ledger knowing that this very result reached the broker. */
export const deliver = (ledger: Ledger, result: CommandResult): Ledger => ({
  ...ledger,
  known: ledger.known.map((record) => (record.result === result ? { ...record, delivered: true } : record)),
})

export const isOver = ({ result }: CommandRecord): boolean =>
  result.state !== 'accepted' && result.state !== 'executing'

/** What is over goes first, oldest first. */
const bounded = (known: readonly CommandRecord[]): CommandRecord[] => {
  if (known.length <= commandsKnownMax) return [...known]
  const oldest = known.find(isOver) ?? known[0]
  return known.filter((record) => record !== oldest)
}
