/**
 * The registry over SQL. Order of an append: head file says what is about to come → events and projections in one
 * transaction → head file says that it came → listeners. A chain whose end does not fit its head file is read and
 * verified, and nothing is appended to it: a new head would cover up what happened.
 */

import type { Kysely } from 'kysely'
import { sha256 } from '@imlma/protocol/node'
import { Failure } from '@imlma/protocol/result'
import type { RegistryTables } from '../storage/tables.ts'
import { chainBroken } from './chain-broken.ts'
import { chainEvents, sameHead, type ChainHead } from './chain.ts'
import { createCommitQueue, type Commit } from './commit-queue.ts'
import { tailOf, writeEvents } from './event-log.kysely.ts'
import { createEventQueries } from './event-queries.kysely.ts'
import type { ChainedEvent } from './events.ts'
import type { HeadFile } from './head.fs.ts'
import type { Registry } from './registry.ts'
import { headFault, verifyRegistry } from './verify.kysely.ts'
import { createVersionQueries } from './versions.kysely.ts'

interface RegistryParts {
  /** Closed with the registry's `close`. */
  readonly db: Kysely<RegistryTables>
  readonly head: HeadFile
}

interface RegistryOptions {
  /** Events of one answer: a page of the audit log. */
  readonly eventsMax?: number
  /** A listener that throws ends here; it must not stop an append. */
  readonly onListenerError?: (cause: unknown) => void
}

/** Throws `Failure` HEAD_UNREADABLE. A broken chain opens; `append` refuses with CHAIN_BROKEN. */
export const openRegistry = async (
  parts: RegistryParts,
  options: RegistryOptions = {},
): Promise<Registry> => {
  const { db, head } = parts
  const { eventsMax = 10_000, onListenerError = () => undefined } = options
  const listeners = new Set<(event: ChainedEvent) => void>()

  const tail = await tailOf(db)
  const fault = headFault(tail, await head.read())
  let known: ChainHead = tail

  const commit: Commit = async (requests) => {
    if (fault !== undefined) throw chainBroken(`first bad event ${fault.seq}: ${fault.message}`)
    if (!sameHead(await tailOf(db), known)) throw chainBroken('somebody else wrote to the events')
    let next = known
    const answers = requests.map(({ events, at }) => {
      const chained = chainEvents(next, events, at, sha256)
      next = headOf(chained.at(-1) ?? next)
      return chained
    })
    if (next === known) return answers
    await head.write({ ...known, pending: next })
    await writeOrRefuse(db, answers.flat())
    known = next
    // The commit stands whatever happens to this write: the head file names it as pending.
    await head.write({ ...known, pending: null }).catch(() => undefined)
    for (const event of answers.flat()) tell(event)
    return answers
  }

  const tell = (event: ChainedEvent): void => {
    for (const listener of listeners) {
      try {
        listener(event)
      } catch (cause) {
        onListenerError(cause)
      }
    }
  }

  const queue = createCommitQueue(commit)

  return {
    append: async (events, at) => queue.append({ events, at }),
    ...createEventQueries(db, eventsMax),
    ...createVersionQueries(db),
    verify: () =>
      queue.exclusive(async () =>
        verifyRegistry(db, await head.read(), fault === undefined ? known : undefined),
      ),
    subscribe: (listener) => {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    close: () => queue.exclusive(() => db.destroy()),
  }
}

const headOf = ({ seq, hash }: ChainHead): ChainHead => ({ seq, hash })

const writeOrRefuse = async (db: Kysely<RegistryTables>, events: readonly ChainedEvent[]): Promise<void> => {
  try {
    await writeEvents(db, events)
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : ''
    if (code === 'SQLITE_FULL') {
      throw new Failure('NO_SPACE', 'no space left to record what happened', {
        cause,
        retryable: true,
        hint: 'free disk space; nothing that was recorded before is affected',
      })
    }
    throw new Failure(
      'EVENT_REFUSED',
      `the registry does not take ${events.map(({ event }) => event.kind).join(', ')}`,
      {
        cause,
        hint: 'a version needs its run and its dataset first, and is recorded once',
      },
    )
  }
}
