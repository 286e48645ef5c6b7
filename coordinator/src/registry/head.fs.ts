/**
 * The chain's head, kept in a file beside the database: without it, somebody who removes the newest events leaves a
 * chain that is whole. Before a commit the file says where the chain is and where it is about to be (`pending`);
 * after it, only where it is. So at any moment, also after a power cut, the database ends at one of the two.
 */

import { readFile } from 'node:fs/promises'
import { z } from 'zod'
import { writeDurably } from '@imlma/protocol/node'
import { Failure } from '@imlma/protocol/result'
import type { ChainHead } from './chain.ts'

const headSchema = z.object({ seq: z.number().int().min(0), hash: z.string().regex(/^[0-9a-f]{64}$/) })
const fileSchema = headSchema.extend({ v: z.literal(1), pending: headSchema.nullable() })

export interface RecordedHead extends ChainHead {
  readonly pending: ChainHead | null
}

export interface HeadFile {
  /** Undefined where there is no file. Throws `Failure` HEAD_UNREADABLE. */
  readonly read: () => Promise<RecordedHead | undefined>
  /** Durable on return. */
  readonly write: (head: RecordedHead) => Promise<void>
}

export const createHeadFile = (path: string): HeadFile => ({
  read: async () => {
    let text: string
    try {
      text = await readFile(path, 'utf8')
    } catch (cause) {
      if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return undefined
      throw unreadable(path, cause)
    }
    try {
      return fileSchema.parse(JSON.parse(text))
    } catch (cause) {
      throw unreadable(path, cause)
    }
  },
  write: ({ seq, hash, pending }) => writeDurably(path, `${JSON.stringify({ v: 1, seq, hash, pending })}\n`),
})

const unreadable = (path: string, cause: unknown): Failure =>
  new Failure('HEAD_UNREADABLE', `${path} does not hold the head of the registry's chain`, {
    cause,
    hint: 'restore it from the backup that belongs to registry.db; do not delete it',
  })
