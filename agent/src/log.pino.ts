/** The agent's log: one JSON object a line, on standard error, so that standard output stays for programs. */

import { destination, pino, type Logger } from 'pino'

export type Log = Logger

export const logLevels = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const
export type LogLevel = (typeof logLevels)[number]

/** An agent that does not know its name yet sets it later (`setBindings`). */
export const createLog = (agent: string | undefined, level: LogLevel): Log =>
  pino(
    {
      level,
      base: agent === undefined ? {} : { agent },
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
    },
    // Synchronous: the last line before the end of a process is the one that is needed.
    destination({ dest: 2, sync: true }),
  )
