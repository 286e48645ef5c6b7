/**
 * Between what happens and the log: decides what must be durable now, keeps a flood of refusals from washing everything
 * else out of the log, and says nothing twice.
 */

import type { AuditDetails, AuditFact } from '@imlma/protocol/audit'
import type { AuditLog } from './log.ts'

export const auditKinds = [
  'started',
  'stopped',
  'desired-accepted',
  'desired-refused',
  'root-followed',
  'deployment',
  'command',
  'alarm',
  'clock',
  'readings-dropped',
  'identity',
] as const
export type AuditKind = (typeof auditKinds)[number]

export interface Recorder {
  /** `isUrgent`: durable now; left out, the kind decides. */
  readonly record: (kind: AuditKind, details: AuditDetails, isUrgent?: boolean) => void
  /** Recorded unless the log holds this very fact already: after a power cut the same may be said again. */
  readonly recordOnce: (key: string, kind: AuditKind, details: AuditDetails) => void
  /** Called after each entry. */
  readonly onRecorded: (listener: (isUrgent: boolean) => void) => () => void
}

interface Parts {
  readonly log: Pick<AuditLog, 'append' | 'sync' | 'found'>
  readonly now: () => number
  readonly onFailure: (cause: unknown) => void
}

interface Options {
  /** Entries of one kind and code in one minute; beyond, only their number is recorded. */
  readonly perMinuteMax?: number
}

/** What somebody may want to be forgotten by pulling the plug. */
const urgent: readonly AuditKind[] = [
  'desired-refused',
  'root-followed',
  'command',
  'clock',
  'identity',
  'deployment',
]

/** Keys remembered: the commands and outcomes that a state holds, and as many before them. */
const keysMax = 1_024
const minuteMs = 60_000

/** The key under which `recordOnce` knows a fact of the log again. */
const keyDetail = 'key'

export const createRecorder = (
  { log, now, onFailure }: Parts,
  { perMinuteMax = 30 }: Options = {},
): Recorder => {
  const listeners = new Set<(isUrgent: boolean) => void>()
  const keys = new Set(
    log.found.flatMap(({ details }) => (typeof details[keyDetail] === 'string' ? [details[keyDetail]] : [])),
  )
  const counts = new Map<string, { since: number; entries: number; left: number }>()

  const append = (fact: AuditFact, isUrgent: boolean): void => {
    log.append(fact, now())
    if (isUrgent) log.sync().catch(onFailure)
    for (const listener of listeners) listener(isUrgent)
  }

  /** False where this minute has had its share. Says first how many an earlier minute left out. */
  const admit = (kind: AuditKind, { code = null }: AuditDetails): boolean => {
    const at = now()
    // Codes are words of ours, so there are only so many; a flood of one must not hide another.
    const key = `${kind} ${code}`
    const known = counts.get(key)
    const isOver = known === undefined || at - known.since >= minuteMs || at < known.since
    if (isOver) {
      if (known !== undefined && known.left > 0) {
        append({ kind: 'log', details: { code: 'SUPPRESSED', of: key, entries: known.left } }, false)
      }
      counts.set(key, { since: at, entries: 1, left: 0 })
      return true
    }
    if (known.entries < perMinuteMax) {
      known.entries += 1
      return true
    }
    known.left += 1
    return false
  }

  const record: Recorder['record'] = (kind, details, isUrgent = urgent.includes(kind)) => {
    if (admit(kind, details)) append({ kind, details: bounded(details) }, isUrgent)
  }

  return {
    record,
    recordOnce: (key, kind, details) => {
      if (keys.has(key)) return
      keys.add(key)
      const [oldest] = keys
      if (keys.size > keysMax && oldest !== undefined) keys.delete(oldest)
      // What was verified and carried out is never left out: nobody but us can make much of it.
      append({ kind, details: bounded({ ...details, [keyDetail]: key }) }, urgent.includes(kind))
    },
    onRecorded: (listener) => {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
  }
}

const textMax = 500

const bounded = (details: AuditDetails): AuditDetails =>
  Object.fromEntries(
    Object.entries(details).map(([name, value]) => [
      name,
      typeof value === 'string' ? value.slice(0, textMax) : value,
    ]),
  )
