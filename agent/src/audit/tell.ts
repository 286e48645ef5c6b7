/** Entries of the log as a person reads them: one line each. */

import type { AuditEntry } from '@imlma/protocol/audit'
import type { VerifiedLog } from './verify.fs.ts'

/** The key is for machines: it repeats what the details say. */
const hidden = ['key']

export const tellEntry = ({ seq, at, fact: { kind, details } }: AuditEntry): string => {
  const told = Object.entries(details)
    .filter(([name, value]) => !hidden.includes(name) && value !== null && value !== '')
    .map(([name, value]) => `${name}=${typeof value === 'string' ? JSON.stringify(value) : String(value)}`)
  return [String(seq).padStart(6), new Date(at).toISOString(), kind.padEnd(16), ...told].join('  ')
}

export const tellVerified = ({
  agent,
  firstSeq,
  lastSeq,
  headHash,
  base,
  held,
  tornBytes,
}: VerifiedLog): string => {
  const begins = {
    beginning: 'from its beginning',
    signed: `from entry ${firstSeq} on, behind a signed checkpoint`,
    unsigned: `from entry ${firstSeq} on, behind a checkpoint that is not signed by this identity`,
  }[base]
  return [
    `the log of ${agent} holds ${begins}: ${lastSeq - firstSeq + 1} entries, head ${headHash}`,
    held === 0
      ? 'the control centre has acknowledged nothing yet'
      : `the control centre holds it up to entry ${held}`,
    ...(tornBytes === 0
      ? []
      : [`${tornBytes} bytes at the end are half a line (a power cut, or it is being written)`]),
  ].join('\n')
}
