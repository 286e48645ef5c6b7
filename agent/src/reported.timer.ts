/**
 * Keeps the retained `reported` document true. A change of a model goes out at once, because the control centre waits
 * for it; what follows closely is gathered, and the backlog, which changes all the time, is looked at now and then.
 */

import { encodeJson, type Reported } from '@imlma/protocol/wire'
import type { Link } from './link/link.ts'

export interface Reporting {
  /** Something that `reported` says has changed. */
  readonly changed: () => void
  readonly stop: () => void
}

interface Parts {
  readonly link: Pick<Link, 'publishLatest'>
  readonly read: () => Reported
}

interface Options {
  /** Milliseconds between two documents. */
  readonly quietMs?: number
  /** Milliseconds between two looks at what changes by itself. */
  readonly lookEveryMs?: number
}

export const startReporting = (
  { link, read }: Parts,
  { quietMs = 200, lookEveryMs = 2_000 }: Options = {},
): Reporting => {
  let said = ''
  let quiet: NodeJS.Timeout | undefined
  let again = false

  const say = (): void => {
    const reported = read()
    const news = JSON.stringify({ ...reported, at: 0 })
    if (news === said) return
    said = news
    link.publishLatest('reported', encodeJson(reported))
  }
  const changed = (): void => {
    if (quiet !== undefined) {
      again = true
      return
    }
    say()
    quiet = setTimeout(() => {
      quiet = undefined
      if (again) changed()
      again = false
    }, quietMs)
  }
  const look = setInterval(changed, lookEveryMs)
  changed()

  return {
    changed,
    stop: () => {
      clearInterval(look)
      clearTimeout(quiet)
    },
  }
}
