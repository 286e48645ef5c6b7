/** What a room must find again after a restart: one small document per key, replaced as a whole. */

import type { z } from 'zod'

export interface StateStore {
  /** Undefined where nothing was kept. Throws `Failure` STATE_UNREADABLE when it no longer fits the schema. */
  readonly load: <State>(room: string, key: string, schema: z.ZodType<State>) => Promise<State | undefined>
  readonly loadAll: <State>(room: string, schema: z.ZodType<State>) => Promise<ReadonlyMap<string, State>>
  /** Durable on return. `at` is the caller's clock, UTC epoch ms. */
  readonly save: (room: string, key: string, state: unknown, at: number) => Promise<void>
  /** All in one transaction. */
  readonly saveAll: (room: string, states: ReadonlyMap<string, unknown>, at: number) => Promise<void>
  readonly remove: (room: string, key: string) => Promise<void>
}
