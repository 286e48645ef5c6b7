/** The coordinator's log: one JSON object a line, on standard error, so that standard output stays for programs. */

import { destination, pino, type Logger } from 'pino'
import type { LogLevel } from './settings.commander.ts'

export type Log = Logger

/** Names under which secrets travel, at the top of what is logged and one step inside; what they hold is cut out. */
const secretNames = [
  'password',
  'secret',
  'token',
  'authorization',
  'cookie',
  'key',
  'secretKey',
  'setupUrl',
] as const

/** What the secrets of our own making look like, wherever they stand: in a message, in a stack. */
const ownSecret = /imlma_(?:session|token|setup)_[\w-]+|imlma1\.[\w-]{20,}/g
const censor = '[secret]'

export const createLog = (part: string, level: LogLevel, dest: number | string = 2): Log =>
  pino(
    {
      level,
      base: { part },
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      redact: { paths: secretNames.flatMap((name) => [name, `*.${name}`]), censor },
      hooks: { streamWrite: (line) => line.replace(ownSecret, censor) },
    },
    // Synchronous: the last line before the end of a process is the one that is needed.
    destination({ dest, sync: true }),
  )
