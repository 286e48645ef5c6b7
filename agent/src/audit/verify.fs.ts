/** Does the log of this data directory hold? Reads it as it lies there, also while the agent runs. Changes nothing. */

import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { auditHeadSchema, openCheckpoint, type AuditEntry } from '@imlma/protocol/audit'
import { verifySignature } from '@imlma/protocol/node'
import { accept, refuse, type Result } from '@imlma/protocol/result'
import { fromBase64 } from '@imlma/protocol/trust'
import { nameSchema } from '@imlma/protocol/wire'
import { followSegments, readName, type FoundLog } from './segments.fs.ts'

export const auditFolderOf = (dataDir: string): string => join(dataDir, 'audit')
/** What the control centre has acknowledged last. */
export const heldPath = (dataDir: string): string => join(auditFolderOf(dataDir), 'held.json')

const heldSchema = auditHeadSchema.extend({ v: z.literal(1), log: nameSchema })

export interface VerifiedLog {
  readonly log: string
  readonly agent: string
  readonly firstSeq: number
  readonly lastSeq: number
  readonly headHash: string
  /** The beginning was dropped, and this says whether the place is signed. */
  readonly base: 'beginning' | 'signed' | 'unsigned'
  /** Last entry that the control centre has acknowledged; 0 for none. */
  readonly held: number
  readonly tornBytes: number
}

/** Raw public key of the agent in base64, as its identity has it; undefined where it was never enrolled. */
export const verifyAuditLog = (
  dataDir: string,
  publicKey: { readonly keyid: string; readonly public: string } | undefined,
  visit: (entry: AuditEntry) => void = () => undefined,
): Result<VerifiedLog, 'NO_AUDIT_LOG' | 'AUDIT_BROKEN'> => {
  const folder = auditFolderOf(dataDir)
  if (!existsSync(folder)) {
    return refuse('NO_AUDIT_LOG', `there is no audit log in ${dataDir}`, 'name the directory with --data-dir')
  }
  const broken = (message: string) =>
    refuse('AUDIT_BROKEN', message, 'keep the folder as it is, and ask the control centre for its copy')
  let name
  try {
    name = readName(folder)
  } catch {
    return broken('log.json was changed: it does not name the log')
  }
  if (name === undefined) return broken('log.json is missing: it names the log')
  const held = readHeld(dataDir, name.log)
  let heldHash: string | undefined
  const found = followSegments(folder, (entry) => {
    if (entry.seq === held?.seq) heldHash = entry.hash
    visit(entry)
  })
  if (found.fault !== undefined) return broken(found.fault)
  if (held !== undefined && held.seq > found.head.seq) {
    return broken(
      `the log ends at entry ${found.head.seq}; the control centre holds it up to ${held.seq}: its end was removed`,
    )
  }
  if (held !== undefined && heldHash !== undefined && heldHash !== held.hash) {
    return broken(`the entries up to ${held.seq} were rewritten: the control centre holds others`)
  }
  const base = judgeBase(found, name, publicKey)
  if (!base.ok) return broken(base.refusal.message)
  return accept({
    log: name.log,
    agent: name.agent,
    firstSeq: found.base.head.seq + 1,
    lastSeq: found.head.seq,
    headHash: found.head.hash,
    base: base.value,
    held: held?.seq ?? 0,
    tornBytes: found.tornBytes,
  })
}

const judgeBase = (
  { base }: FoundLog,
  { log, agent }: { readonly log: string; readonly agent: string },
  key: { readonly keyid: string; readonly public: string } | undefined,
): Result<VerifiedLog['base']> => {
  if (base.head.seq === 0) return accept('beginning')
  if (key === undefined) return accept('unsigned')
  if (base.checkpoint === null) return accept('unsigned')
  const keys = [{ keyid: key.keyid, scheme: 'ed25519' as const, publicKey: fromBase64(key.public) }]
  const opened = openCheckpoint(base.checkpoint, keys, verifySignature)
  // An agent that was enrolled anew has another key: what it signed before is the control centre's to verify.
  if (!opened.ok && opened.refusal.code === 'UNKNOWN_KEY') return accept('unsigned')
  if (!opened.ok) return opened
  const { head } = opened.value
  const isIts = opened.value.log === log && opened.value.agent === agent
  return isIts && head.seq === base.head.seq && head.hash === base.head.hash
    ? accept('signed')
    : refuse('AUDIT_BROKEN', `the checkpoint at entry ${base.head.seq} is signed for another place`)
}

const readHeld = (dataDir: string, log: string): z.infer<typeof heldSchema> | undefined => {
  try {
    const held = heldSchema.parse(JSON.parse(readFileSync(heldPath(dataDir), 'utf8')))
    return held.log === log ? held : undefined
  } catch {
    return undefined
  }
}
