/** The coordinator's log: one JSON object a line, on standard error, so that standard output stays for programs. */

import { destination, pino, type Logger } from 'pino'
import type { LogLevel } from './settings.commander.ts'

export type Log = Logger

export const createLog = (part: string, level: LogLevel): Log =>
  pino(
    { level, base: { part }, timestamp: () => `,"time":"${new Date().toISOString()}"` },
    // Synchronous: the last line before the end of a process is the one that is needed.
    destination({ dest: 2, sync: true }),
  )
