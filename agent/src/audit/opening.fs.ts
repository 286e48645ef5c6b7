/** What a start finds of the log: the one that was left, mended where a power cut tore it, or a new one. */

import { randomUUID } from 'node:crypto'
import { mkdirSync, renameSync, rmSync, truncateSync } from 'node:fs'
import type { AuditFact } from '@imlma/protocol/audit'
import type { Address } from '@imlma/protocol/wire'
import { syncFolderNow, writeNow } from './durable.fs.ts'
import { followSegments, namePath, readName, type FoundLog } from './segments.fs.ts'

/** Facts given back at the start: more than a state remembers commands and outcomes. */
const foundMax = 512

export interface Opened {
  readonly name: string
  readonly found: FoundLog
  readonly facts: readonly AuditFact[]
  /** What this opening itself has to say. */
  readonly set: readonly AuditFact[]
}

/** Follows what is there, mends what a power cut left, and begins anew where it cannot be believed. Throws. */
export const openFolder = (
  { folder, site, agent }: Address & { readonly folder: string },
  now: number,
): Opened => {
  mkdirSync(folder, { recursive: true })
  const facts: AuditFact[] = []
  const known = attempt(() => readName(folder))
  const found = followSegments(folder, ({ fact }) => {
    facts.push(fact)
    if (facts.length > foundMax) facts.shift()
  })
  const isOurs = known?.site === site && known.agent === agent
  if (isOurs && found.fault === undefined) {
    const last = found.segments.at(-1)
    if (found.tornBytes === 0 || last === undefined) return { name: known.log, found, facts, set: [] }
    truncateSync(last.path, last.bytes)
    const torn: AuditFact = { kind: 'log', details: { code: 'TORN', bytes: found.tornBytes } }
    return { name: known.log, found, facts, set: [torn] }
  }
  const isNew = known === undefined && found.segments.length === 0 && found.fault === undefined
  if (!isNew) setAside(folder)
  const name = randomUUID()
  writeNow(namePath(folder), `${JSON.stringify({ v: 1, log: name, site, agent })}\n`)
  syncFolderNow(folder)
  const why = found.fault ?? (known === undefined ? 'its name is missing' : 'it is the log of another agent')
  const begun: AuditFact = {
    kind: 'log',
    details: {
      code: 'BEGUN',
      site,
      agent,
      ...(isNew
        ? {}
        : { previous: known?.log ?? null, previousSeq: found.head.seq, why: why.slice(0, 500), at: now }),
    },
  }
  return { name, found: followSegments(folder, () => undefined), facts: [], set: [begun] }
}

/** One such log is kept to be looked at. */
const setAside = (folder: string): void => {
  const aside = `${folder}.set-aside`
  rmSync(aside, { recursive: true, force: true })
  renameSync(folder, aside)
  mkdirSync(folder)
}

const attempt = <Value>(work: () => Value): Value | undefined => {
  try {
    return work()
  } catch {
    return undefined
  }
}
