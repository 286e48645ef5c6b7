/**
 * Who is logged in: sessions by the hash of their id, kept for a restart. One ends after a time without any request,
 * after a shift in any case, and at once when the user's password, role or access changes. An open page asks every few
 * seconds, so it is the shift that ends it; the idle time is for a laptop that was closed.
 */

import type { StateStore } from '../../storage/states.ts'
import { sessionRecordSchema, type SessionRecord } from './records.ts'

export interface SessionOptions {
  readonly idleMs?: number
  /** A shift and its handover. */
  readonly absoluteMs?: number
  /** Of one user: screens and browsers; the oldest one makes room. */
  readonly perUserMax?: number
  /** How old the kept time of the last request may be: flash and disks are not written at every request. */
  readonly keepEveryMs?: number
}

export interface SessionParts {
  readonly states: Pick<StateStore, 'loadAll' | 'save' | 'remove'>
  readonly now: () => number
  /** Called with what could not be kept; the session goes on in memory. */
  readonly onFailure: (error: unknown) => void
}

export interface Sessions {
  /** Durable on return. */
  readonly start: (digest: string, user: string) => Promise<{ readonly expiresAt: number }>
  /** The session's user, while it is valid; counts as a request. */
  readonly find: (digest: string) => { readonly user: string; readonly expiresAt: number } | undefined
  readonly end: (digest: string) => Promise<void>
  readonly endAllOf: (user: string) => Promise<void>
  /** Calls once when the session is over, whatever ended it; the returned function takes it back. */
  readonly onEnd: (digest: string, listener: () => void) => () => void
  /** Lets go of what time has ended. */
  readonly sweep: () => Promise<void>
}

const room = 'sessions'

export const createSessions = async (
  { states, now, onFailure }: SessionParts,
  { idleMs = 3_600_000, absoluteMs = 43_200_000, perUserMax = 20, keepEveryMs = 60_000 }: SessionOptions = {},
): Promise<Sessions> => {
  const sessions = new Map(await states.loadAll(room, sessionRecordSchema))
  const kept = new Map([...sessions].map(([digest, { seenAt }]) => [digest, seenAt]))
  const listeners = new Map<string, Set<() => void>>()

  const isOver = ({ createdAt, seenAt }: SessionRecord): boolean =>
    now() >= createdAt + absoluteMs || now() >= seenAt + idleMs

  const end = async (digest: string): Promise<void> => {
    sessions.delete(digest)
    kept.delete(digest)
    for (const listener of listeners.get(digest) ?? []) listener()
    listeners.delete(digest)
    await states.remove(room, digest)
  }

  const endWhere = async (matches: (session: SessionRecord) => boolean): Promise<void> => {
    const ending = [...sessions].filter(([, session]) => matches(session)).map(([digest]) => digest)
    await Promise.all(ending.map(end))
  }

  await endWhere(isOver)
  return {
    start: async (digest, user) => {
      const own = [...sessions].filter(([, session]) => session.user === user)
      const oldest = own
        .toSorted(([, a], [, b]) => a.seenAt - b.seenAt)
        .slice(0, Math.max(0, own.length - perUserMax + 1))
      await Promise.all(oldest.map(([each]) => end(each)))
      const session = { user, createdAt: now(), seenAt: now() }
      await states.save(room, digest, session, now())
      sessions.set(digest, session)
      kept.set(digest, now())
      return { expiresAt: session.createdAt + absoluteMs }
    },
    find: (digest) => {
      const session = sessions.get(digest)
      if (session === undefined) return undefined
      if (isOver(session)) {
        end(digest).catch(onFailure)
        return undefined
      }
      const seen = { ...session, seenAt: now() }
      sessions.set(digest, seen)
      if (now() - (kept.get(digest) ?? 0) >= keepEveryMs) {
        kept.set(digest, now())
        states.save(room, digest, seen, now()).catch(onFailure)
      }
      return { user: session.user, expiresAt: session.createdAt + absoluteMs }
    },
    end,
    endAllOf: (user) => endWhere((session) => session.user === user),
    onEnd: (digest, listener) => {
      const own = listeners.get(digest) ?? new Set()
      listeners.set(digest, own.add(listener))
      return () => {
        own.delete(listener)
        if (own.size === 0 && listeners.get(digest) === own) listeners.delete(digest)
      }
    },
    sweep: () => endWhere(isOver),
  }
}
