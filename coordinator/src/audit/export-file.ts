/**
 * The registry's events as one file that proves itself without the database: NDJSON of a header, the events with their
 * hashes, and a seal with the checkpoints, the trust roots that they hang on, and the SHA-256 of everything before it.
 */

import { z } from 'zod'
import { auditHeadSchema } from '@imlma/protocol/audit'
import { accept, refuse, type Result } from '@imlma/protocol/result'
import {
  canonicalJson,
  envelopeSchema,
  openFirstRoot,
  openNextRoot,
  type Envelope,
  type TrustRoot,
  type VerifySignature,
} from '@imlma/protocol/trust'
import { epochMsSchema, nameSchema, sha256Schema } from '@imlma/protocol/wire'
import { faultOf, type ChainHead, type Hash, type StoredEvent } from '../registry/chain.ts'
import { openPlace, placeFault, type SignedPlace } from './signed-places.ts'

const headerSchema = z.object({
  v: z.literal(1),
  format: z.literal('imlma-audit'),
  site: nameSchema,
  /** The event before the first one of this file. */
  behind: auditHeadSchema,
  exportedAt: epochMsSchema,
})

const lineSchema = z.object({
  seq: z.number().int().min(1),
  at: epochMsSchema,
  event: z.unknown(),
  previousHash: sha256Schema,
  hash: sha256Schema,
})

const sealSchema = z.object({
  events: z.number().int().min(0),
  checkpoints: z.array(envelopeSchema),
  roots: z.array(envelopeSchema).min(1),
  sha256: sha256Schema,
})

export const toHeaderLine = (site: string, behind: ChainHead, exportedAt: number): string =>
  JSON.stringify({ v: 1, format: 'imlma-audit', site, behind, exportedAt })

export const toEventLine = ({ seq, at, event, previousHash, hash }: StoredEvent): string =>
  JSON.stringify({ seq, at, event: JSON.parse(event) as unknown, previousHash, hash })

/** `sha256` covers every byte before this line, line breaks included. */
export const toSealLine = (seal: {
  readonly events: number
  readonly checkpoints: readonly Envelope[]
  readonly roots: readonly Envelope[]
  readonly sha256: string
}): string => JSON.stringify(seal)

export interface VerifiedExport {
  readonly site: string
  readonly firstSeq: number
  readonly lastSeq: number
  readonly headHash: string
  readonly exportedAt: number
  /** The last event of this file that a checkpoint covers; null for none. */
  readonly signedUpTo: number | null
  /** SHA-256 of the first trust root: everything hangs on it, so it must be compared. */
  readonly rootDigest: string
}

type ExportRefusal = 'MALFORMED' | 'CHAIN_BROKEN' | 'BAD_SIGNATURE' | 'TRUNCATED'

/** Nothing but the file is believed, and of it nothing that is not signed or chained. */
export const verifyExport = (
  text: string,
  { hash, verify }: { readonly hash: Hash; readonly verify: VerifySignature },
): Result<VerifiedExport, ExportRefusal> => {
  const lines = text.split('\n')
  if (lines.at(-1) !== '' || lines.length < 3)
    return refuse('TRUNCATED', 'the file does not end with its seal')
  const header = headerSchema.safeParse(parseLine(lines[0]))
  if (!header.success) return refuse('MALFORMED', 'the file does not begin as an export of IMLMA')
  const sealLine = lines[lines.length - 2] as string
  const seal = sealSchema.safeParse(parseLine(sealLine))
  if (!seal.success) return refuse('TRUNCATED', 'the file does not end with its seal')
  const before = text.slice(0, text.length - sealLine.length - 1)
  if (hash(before) !== seal.data.sha256)
    return refuse('CHAIN_BROKEN', 'the file was changed: it has another SHA-256')
  const { behind, site, exportedAt } = header.data
  const chain = followLines(lines.slice(1, -2), behind, hash)
  if (!chain.ok) return chain
  const { head, hashes } = chain.value
  if (hashes.size - 1 !== seal.data.events) return refuse('CHAIN_BROKEN', 'the seal counts other events')
  const roots = followRoots(seal.data.roots, verify)
  if (!roots.ok) return roots
  const places: SignedPlace[] = []
  for (const envelope of seal.data.checkpoints) {
    const place = openPlace(envelope, roots.value, verify)
    if (!place.ok) return refuse('BAD_SIGNATURE', place.refusal.message)
    places.push(place.value)
  }
  const within = places.filter(({ seq }) => seq <= head.seq)
  const fault = placeFault(within, hashes, head.seq)
  if (fault !== undefined) return refuse('CHAIN_BROKEN', fault.message)
  const signedUpTo = Math.max(...within.map(({ seq }) => seq).filter((seq) => seq > behind.seq), 0)
  return accept({
    site,
    firstSeq: behind.seq + 1,
    lastSeq: head.seq,
    headHash: head.hash,
    exportedAt,
    signedUpTo: signedUpTo === 0 ? null : signedUpTo,
    rootDigest: hash(canonicalJson(seal.data.roots[0])),
  })
}

const followLines = (
  lines: readonly string[],
  behind: ChainHead,
  hash: Hash,
): Result<{ head: ChainHead; hashes: ReadonlyMap<number, string> }, ExportRefusal> => {
  let head = behind
  const hashes = new Map([[behind.seq, behind.hash]])
  for (const line of lines) {
    const parsed = lineSchema.safeParse(parseLine(line))
    if (!parsed.success) return refuse('CHAIN_BROKEN', `the line behind event ${head.seq} is no event`)
    const row = { ...parsed.data, event: canonicalJson(parsed.data.event) }
    const fault = faultOf(head, row, hash)
    if (fault !== undefined) return refuse('CHAIN_BROKEN', fault.message)
    head = { seq: row.seq, hash: row.hash }
    hashes.set(row.seq, row.hash)
  }
  return accept({ head, hashes })
}

/** Every root from the first on, each signed by the one before it. */
export const followRoots = (
  envelopes: readonly Envelope[],
  verify: VerifySignature,
): Result<readonly TrustRoot[], 'BAD_SIGNATURE'> => {
  const roots: TrustRoot[] = []
  for (const envelope of envelopes) {
    const last = roots.at(-1)
    const next = last === undefined ? openFirstRoot(envelope, verify) : openNextRoot(last, envelope, verify)
    if (!next.ok) return refuse('BAD_SIGNATURE', `trust root: ${next.refusal.message}`)
    roots.push(next.value)
  }
  return accept(roots)
}

const parseLine = (line: string | undefined): unknown => {
  try {
    return JSON.parse(line ?? '')
  } catch {
    return undefined
  }
}
