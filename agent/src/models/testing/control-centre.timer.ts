/** The control centre's end of the link, for tests: a function call that answers in the next turn. */

import { crc32 } from '@imlma/protocol/node'
import { encodeCbor, type CommandResult, type Fetch } from '@imlma/protocol/wire'
import type { ControlMessage, Link } from '../../link/link.ts'

/** Answers fetches out of `artifacts` and keeps the results of commands. */
export const createControlCentre = () => {
  const artifacts = new Map<string, Uint8Array>()
  const results: CommandResult[] = []
  const fetches: Fetch[] = []
  const listeners = new Set<(message: ControlMessage) => void>()
  const waiting = new Set<() => void>()
  let damage = (bytes: Uint8Array): Uint8Array => bytes

  const answer = ({ requestId, sha256: digest, offset, length }: Fetch): void => {
    const artifact = artifacts.get(digest)
    const bytes = damage(artifact?.subarray(offset, offset + length) ?? new Uint8Array(0))
    const chunk = { sha256: digest, offset, total: artifact?.byteLength ?? 0, bytes, crc32: crc32(bytes) }
    const message = { id: requestId, payload: encodeCbor(chunk), retained: false }
    for (const listener of listeners) listener(message)
  }
  const link: Pick<Link, 'publish' | 'on'> = {
    publish: async (channel, payload) => {
      const document: unknown = JSON.parse(new TextDecoder().decode(payload))
      if (channel === 'result') {
        results.push(document as CommandResult)
        for (const look of waiting) look()
      }
      if (channel !== 'fetch') return
      fetches.push(document as Fetch)
      setImmediate(() => answer(document as Fetch))
    },
    on: (_channel, listener) => {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
  }
  return {
    link,
    artifacts,
    results,
    fetches,
    /** Resolves when the condition holds after a result has come, however long that takes. */
    heard: (condition: () => boolean) =>
      new Promise<void>((resolve) => {
        const look = (): void => {
          if (!condition()) return
          waiting.delete(look)
          resolve()
        }
        waiting.add(look)
        look()
      }),
    /** From now on the bytes of every piece go through this before their CRC is made. */
    tamper: (how: (bytes: Uint8Array) => Uint8Array) => {
      damage = how
    },
  }
}
export type ControlCentre = ReturnType<typeof createControlCentre>
