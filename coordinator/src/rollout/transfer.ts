/**
 * Hands artifacts out in chunks: an agent asks for a range, we read that range and answer to it alone. Only what
 * was signed as a version may be fetched. The bytes go out as they lie on disk; whether they are right is decided
 * where it matters, at the agent, by the digest that the release key signed.
 */

import { limits } from '@imlma/protocol/limits'
import { encodeCbor, fetchSchema, parseJsonMessage, type Chunk } from '@imlma/protocol/wire'
import type { BrokerClient, BrokerMessage } from '../broker/client.ts'
import type { ArtifactStore } from '../storage/artifacts.ts'

export interface TransferParts {
  readonly client: Pick<BrokerClient, 'publish'>
  readonly artifacts: Pick<ArtifactStore, 'range'>
  readonly crc32: (bytes: Uint8Array) => number
  /** True for artifacts of signed versions. */
  readonly isServable: (sha256: string) => boolean
  readonly onFailure: (error: unknown) => void
}

export interface TransferOptions {
  /** Ranges read and sent at the same time, over all agents: bounds memory at this many chunks. */
  readonly concurrency?: number
  /** Requests waiting beyond those; later ones are dropped, and the agent asks again. */
  readonly queueMax?: number
}

export interface Transfer {
  readonly accept: (message: BrokerMessage) => void
  readonly refused: () => number
}

export const createTransfer = (parts: TransferParts, options: TransferOptions = {}): Transfer => {
  const { concurrency = 8, queueMax = 4_096 } = options
  const queue: BrokerMessage[] = []
  let running = 0
  let refused = 0

  const pump = (): void => {
    while (running < concurrency) {
      const message = queue.shift()
      if (message === undefined) return
      running += 1
      void answer(parts, message)
        .catch(parts.onFailure)
        .finally(() => {
          running -= 1
          pump()
        })
    }
  }

  return {
    accept: (message) => {
      if (queue.length >= queueMax) {
        refused += 1
        return
      }
      queue.push(message)
      pump()
    },
    refused: () => refused,
  }
}

const answer = async (parts: TransferParts, { site, agent, payload }: BrokerMessage): Promise<void> => {
  const request = parseJsonMessage(fetchSchema, payload, limits.jsonBytesMax)
  if (!request.ok) return
  const { requestId, sha256, offset, length } = request.value
  const range = parts.isServable(sha256) ? await parts.artifacts.range(sha256, offset, length) : undefined
  const bytes = range?.bytes ?? new Uint8Array(0)
  const chunk: Chunk = { sha256, offset, total: range?.total ?? 0, bytes, crc32: parts.crc32(bytes) }
  await parts.client.publish('chunk', { site, agent }, encodeCbor(chunk), requestId)
}
