/**
 * Does a page go on where the stored log of an agent ends? The agent sends only what is durable on its disk, so an honest
 * log never gets shorter and never changes; one that did is kept beside what was stored before, and somebody is told.
 *
 *   same log:  goes on → append          no news → nothing         behind us → ask again, then REWRITTEN
 *              changed → REWRITTEN       begins above us → GAP
 *   other log: first of all → begin      another one → RESTARTED
 */

import {
  entryFault,
  auditHeadOf,
  sameAuditHead,
  type AuditEntry,
  type AuditHead,
  type AuditPage,
  type Hash,
} from '@imlma/protocol/audit'

/** What is stored last of an agent. A branch is a log that did not go on where it ended. */
export interface StoredLog {
  readonly log: string
  readonly branch: number
  readonly head: AuditHead
}

export const pageAlerts = ['AUDIT_RESTARTED', 'AUDIT_GAP', 'AUDIT_REWRITTEN', 'AUDIT_BROKEN'] as const
export type PageAlert = (typeof pageAlerts)[number]

export interface PageVerdict {
  /** Up to here it is stored, once `append` is: the agent goes on behind it. */
  readonly acknowledged: number
  readonly append: readonly AuditEntry[]
  /** A log, or a branch of it, that begins behind this place. */
  readonly begin?: StoredLog
  readonly alert?: { readonly code: PageAlert; readonly detail: string }
  /** The log seems shorter than what is stored: believed when it is said twice, as old messages come late. */
  readonly isSuspicious?: boolean
}

/** `wasSuspicious`: the page before this one was. */
export const judgePage = (
  stored: StoredLog | undefined,
  page: AuditPage,
  wasSuspicious: boolean,
  hash: Hash,
): PageVerdict => {
  const fault = pageFault(page, hash)
  if (fault !== undefined) {
    const alert = { code: 'AUDIT_BROKEN', detail: fault } as const
    return { acknowledged: stored?.log === page.log ? stored.head.seq : 0, append: [], alert }
  }
  if (stored === undefined) return begin({ log: page.log, branch: 1, head: page.base }, page)
  if (stored.log !== page.log) {
    const detail = `the log ${stored.log} ended at entry ${stored.head.seq}; ${page.log} begins behind ${page.base.seq}`
    return begin({ log: page.log, branch: 1, head: page.base }, page, { code: 'AUDIT_RESTARTED', detail })
  }
  return goOn(stored, page, wasSuspicious)
}

const goOn = (stored: StoredLog, page: AuditPage, wasSuspicious: boolean): PageVerdict => {
  const { head } = stored
  const branch = (code: PageAlert, detail: string): PageVerdict =>
    begin({ ...stored, branch: stored.branch + 1, head: page.base }, page, { code, detail })
  if (page.head.seq < head.seq) {
    if (!wasSuspicious) return { acknowledged: head.seq, append: [], isSuspicious: true }
    return branch('AUDIT_REWRITTEN', `the log ends at entry ${page.head.seq}; ${head.seq} were stored here`)
  }
  if (page.head.seq === head.seq && page.head.hash !== head.hash) {
    return branch('AUDIT_REWRITTEN', `entry ${head.seq} is another one than was stored here`)
  }
  if (page.base.seq > head.seq) {
    return branch(
      'AUDIT_GAP',
      `entries ${head.seq + 1} to ${page.base.seq} were dropped before they came here`,
    )
  }
  const known = page.entries.find(({ seq }) => seq === head.seq)
  if (known !== undefined && known.hash !== head.hash) {
    return branch('AUDIT_REWRITTEN', `entry ${head.seq} is another one than was stored here`)
  }
  const news = page.entries.filter(({ seq }) => seq > head.seq)
  const [first] = news
  if (first === undefined || first.seq > head.seq + 1) return { acknowledged: head.seq, append: [] }
  if (first.previousHash !== head.hash) {
    return branch('AUDIT_REWRITTEN', `entry ${first.seq} does not follow what was stored here`)
  }
  return { acknowledged: news.at(-1)?.seq ?? head.seq, append: news }
}

/** The entries of the page belong to it only where they begin at its base; otherwise the agent is asked for them. */
const begin = (log: StoredLog, { entries }: AuditPage, alert?: PageVerdict['alert']): PageVerdict => {
  const isWhole = entries[0]?.previousHash === log.head.hash && entries[0].seq === log.head.seq + 1
  const append = isWhole ? entries : []
  const acknowledged = append.at(-1)?.seq ?? log.head.seq
  return { acknowledged, append, begin: log, ...(alert && { alert }) }
}

/** What is wrong with the page in itself, whatever was stored. */
const pageFault = ({ entries, head, base }: AuditPage, hash: Hash): string | undefined => {
  const [first] = entries
  let at: AuditHead | undefined = first && { seq: first.seq - 1, hash: first.previousHash }
  for (const entry of entries) {
    const fault = entryFault(at as AuditHead, entry, hash)
    if (fault !== undefined) return fault
    at = auditHeadOf(entry)
  }
  if (base.seq > head.seq) return `the log begins behind entry ${base.seq} and ends at ${head.seq}`
  if (at === undefined) return undefined
  if (at.seq > head.seq) return `entry ${at.seq} lies behind the end of the log, ${head.seq}`
  return at.seq === head.seq && !sameAuditHead(at, head)
    ? `entry ${at.seq} is not the end that the page names`
    : undefined
}
