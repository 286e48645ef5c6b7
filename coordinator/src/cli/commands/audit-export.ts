/** `imlma audit export`: the events as one file that proves itself, for an auditor or for safe keeping elsewhere. */

import { accept, refuse, type Result } from '@imlma/protocol/result'
import { grouped } from '../../api/sentences.ts'
import type { Command } from '../command.ts'

export const auditExportCommand: Command = {
  name: 'audit export',
  summary: 'write the chain of events to a file that can be verified without the database',
  options: [
    { flags: '--out <file>', about: 'the file; an existing one is never replaced', required: true },
    {
      flags: '--from <time>',
      about: 'first time, as 2026-11-01 or 2026-11-01T08:00:00Z (default: the beginning)',
    },
    { flags: '--to <time>', about: 'last time (default: now); a date alone is its whole day, in UTC' },
  ],
  example: 'imlma audit export --from 2026-11-01 --out november.ndjson',
  run: async ({ settings, audit, now }, { options }) => {
    const from = parseTime(options.from, 0, 0)
    const to = parseTime(options.to, 86_400_000 - 1, Number.MAX_SAFE_INTEGER)
    if (!from.ok) return from
    if (!to.ok) return to
    const { dataDir, site } = settings
    const target = { dataDir, site, path: String(options.out), now: now() }
    const written = await audit.exportLocally(target, { from: from.value, to: to.value })
    return accept({
      text: `${grouped(written.events)} events in ${written.path}, sha256 ${written.sha256}\nimlma audit verify --file ${written.path}`,
      json: written,
    })
  },
}

const parseTime = (given: unknown, ofDay: number, otherwise: number): Result<number> => {
  if (typeof given !== 'string') return accept(otherwise)
  const time = Date.parse(given)
  if (!/^\d{4}-\d{2}-\d{2}/.test(given) || Number.isNaN(time)) {
    return refuse('BAD_OPTION', `${given} is no time`, 'as 2026-11-01, or 2026-11-01T08:00:00Z')
  }
  return accept(given.length === 10 ? time + ofDay : time)
}
