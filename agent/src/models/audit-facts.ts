/**
 * What this room has to say to the agent's audit log. Outcomes of deployments and of commands follow from the state, so
 * that they are recorded also where a power cut came between the state and the log: said again, they are known there.
 */

import type { Recorder } from '../audit/recorder.ts'
import type { AgentState } from './agent-state.ts'
import { isOver } from './commands/ledger.ts'

export interface ModelsAudit extends Pick<Recorder, 'record' | 'recordOnce'> {
  /** SHA-256 of the bytes that base64 stands for, hexadecimal: names a signed document. */
  readonly digestOf: (base64: string) => string
}

export const noAudit: ModelsAudit = {
  record: () => undefined,
  recordOnce: () => undefined,
  digestOf: () => '',
}

/** Records what the state knows and the log does not. */
export const recordState = (audit: ModelsAudit, { models, commands }: AgentState): void => {
  for (const [model, { outcome }] of Object.entries(models)) {
    if (outcome === null) continue
    const { version, sha256, state, reason, detail, at } = outcome
    const key = `deployment ${model} ${sha256} ${state} ${at}`
    audit.recordOnce(key, 'deployment', { model, version, sha256, state, reason, detail, outcomeAt: at })
  }
  for (const record of commands.known) {
    if (!isOver(record)) continue
    const { commandId, state, code, detail } = record.result
    audit.recordOnce(`command ${commandId} ${state}`, 'command', { commandId, state, code, detail })
  }
}
