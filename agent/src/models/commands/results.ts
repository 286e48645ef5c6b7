/** What a command came to, in the words that are sent on `result/{commandId}`. */

import { commandRefusals, protocolVersion, type CommandResult } from '@imlma/protocol/wire'
import type { AgentState } from '../agent-state.ts'
import type { Effect } from '../deployment-state.ts'
import { servingVersions } from '../reported.ts'
import { conclude } from './ledger.ts'

type ResultState = CommandResult['state']

export const toResult = (
  state: AgentState,
  commandId: string,
  now: number,
  said: { readonly state: ResultState; readonly code?: string | null; readonly detail?: string },
): CommandResult => ({
  v: protocolVersion,
  commandId,
  state: said.state,
  code: said.code ?? null,
  detail: (said.detail ?? '').slice(0, 500),
  serving: servingVersions(state),
  at: now,
})

/** The state in which every rollback that just ended has its result: written together with what it did. */
export const withConclusions = (state: AgentState, effects: readonly Effect[], now: number): AgentState => {
  let next = state
  for (const effect of effects) {
    if (effect.kind !== 'report' || effect.origin.kind !== 'rollback') continue
    const { outcome, origin } = effect
    const refused = commandRefusals.some((code) => code === outcome.reason)
    const ended = outcome.state === 'committed' ? 'succeeded' : refused ? 'refused' : 'failed'
    const result = toResult(next, origin.commandId, now, {
      state: ended,
      code: outcome.reason,
      detail: outcome.state === 'committed' ? `version ${outcome.version} serves` : outcome.detail,
    })
    next = { ...next, commands: conclude(next.commands, result) }
  }
  return next
}
