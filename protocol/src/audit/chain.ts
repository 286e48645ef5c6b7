/**
 * A log as a chain: the hash of each entry covers its place, its time, what happened, and the hash before it. Nothing
 * before a known hash can be changed, removed, inserted or moved without every later hash being wrong.
 *
 * Where such a chain should end it cannot know itself: that is what signed checkpoints, and whoever else has seen an
 * entry, are for. What happened is flat on purpose: an older reader hashes what a newer writer wrote.
 */

import { z } from 'zod'
import { canonicalJson } from '../trust/canonical.ts'
import { epochMsSchema, sha256Schema } from '../wire/header.ts'

/** SHA-256 of a text in UTF-8, hexadecimal. */
export type Hash = (text: string) => string

/** Details of one entry: enough for everything that is recorded, too few to hide a document in. */
const detailsMax = 24

export const auditDetailsSchema = z
  .record(z.string().max(64), z.union([z.string().max(500), z.number(), z.boolean(), z.null()]))
  .refine((details) => Object.keys(details).length <= detailsMax, `more than ${detailsMax} details`)
export type AuditDetails = Readonly<z.infer<typeof auditDetailsSchema>>

/** What happened. The kinds are those of the writer; a reader keeps also what it does not know. */
export const auditFactSchema = z.object({ kind: z.string().min(1).max(32), details: auditDetailsSchema })
export type AuditFact = Readonly<z.infer<typeof auditFactSchema>>

const seqSchema = z.number().int().min(1).max(Number.MAX_SAFE_INTEGER)

export const auditEntrySchema = z.object({
  seq: seqSchema,
  at: epochMsSchema,
  fact: auditFactSchema,
  previousHash: sha256Schema,
  hash: sha256Schema,
})
export type AuditEntry = Readonly<z.infer<typeof auditEntrySchema>>

/** A place in a chain: the entry that was the last one there; sequence 0 before the first. */
export const auditHeadSchema = z.object({ seq: z.number().int().min(0), hash: sha256Schema })
export type AuditHead = Readonly<z.infer<typeof auditHeadSchema>>

export const emptyAuditHead: AuditHead = { seq: 0, hash: '0'.repeat(64) }

export const sameAuditHead = (a: AuditHead, b: AuditHead): boolean => a.seq === b.seq && a.hash === b.hash

export const auditHeadOf = ({ seq, hash }: AuditHead): AuditHead => ({ seq, hash })

/** The entry right behind `head`. */
export const chainEntry = (head: AuditHead, fact: AuditFact, at: number, hash: Hash): AuditEntry => {
  const link = { seq: head.seq + 1, at, fact, previousHash: head.hash }
  return { ...link, hash: hash(canonicalJson(link)) }
}

/** What is wrong with `entry` as the one right behind `head`; undefined when it is the one that was written. */
export const entryFault = (head: AuditHead, entry: AuditEntry, hash: Hash): string | undefined => {
  const { seq, at, fact, previousHash } = entry
  if (seq !== head.seq + 1) return `entry ${seq} stands behind ${head.seq}`
  if (previousHash !== head.hash) {
    return `entry ${seq} does not follow the entry before it: it was moved, inserted or replaced`
  }
  return hash(canonicalJson({ seq, at, fact, previousHash })) === entry.hash
    ? undefined
    : `entry ${seq} was changed: its content does not have its hash`
}
