/** The agent's one connection to the control centre, as the other rooms see it. */

import type { ChannelName } from '@imlma/protocol/wire'

export type AgentChannel = Extract<
  ChannelName,
  'presence' | 'readings' | 'reported' | 'report' | 'alarm' | 'fetch' | 'result' | 'audit'
>
export type ControlChannel = Extract<ChannelName, 'ack' | 'desired' | 'chunk' | 'command' | 'audit-ack'>

export interface ControlMessage {
  /** Request or command id on identified channels. */
  readonly id?: string
  readonly payload: Uint8Array
  /** True when the broker delivered a stored message: a retained command is refused. */
  readonly retained: boolean
}

export interface Link {
  /** Resolves on PUBACK. Throws `Failure` LINK_DOWN (retryable) while there is no connection. */
  readonly publish: (channel: AgentChannel, payload: Uint8Array, id?: string) => Promise<void>
  /** The latest payload wins; it is published until the broker has it, and again at every connect (retained channels). */
  readonly publishLatest: (channel: 'presence' | 'reported', payload: Uint8Array) => void
  readonly on: (channel: ControlChannel, listener: (message: ControlMessage) => void) => () => void
  /** Called on every connect. */
  readonly onConnect: (listener: () => void) => () => void
  readonly connected: () => boolean
  readonly reconnects: () => number
  readonly close: () => Promise<void>
}
