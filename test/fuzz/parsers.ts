/** The one table of parsers that meet bytes from outside. A new one belongs here on the day it is written. */

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { agentParsers } from './agent-parsers.fs.ts'
import { coordinatorParsers } from './coordinator-parsers.fs.ts'
import { protocolParsers } from './protocol-parsers.ts'
import type { Parser } from './parser.ts'

interface ParserTable {
  readonly parsers: readonly Parser[]
  readonly close: () => Promise<void>
}

/** Two parsers read files: they get a folder, which `close` removes. */
export const createParsers = async (): Promise<ParserTable> => {
  const folder = await mkdtemp(join(tmpdir(), 'imlma-fuzz-'))
  return {
    parsers: [...protocolParsers, ...agentParsers(folder), ...(await coordinatorParsers(folder))],
    close: () => rm(folder, { recursive: true }),
  }
}
