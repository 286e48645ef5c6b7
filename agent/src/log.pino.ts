/** The agent's log: one JSON object a line, on standard error, so that standard output stays for programs; and on disk. */

import { destination, pino, type Logger } from 'pino'
import type { LogLevel } from './log-level.ts'

export type Log = Logger

/** Where lines go beside standard error, from when it is known. */
export interface LogTarget {
  file?: { readonly write: (line: string) => void } | undefined
}

/** An agent that does not know its name yet sets it later (`setBindings`). */
export const createLog = (agent: string | undefined, level: LogLevel, target: LogTarget = {}): Log => {
  // Synchronous: the last line before the end of a process is the one that is needed.
  const standardError = destination({ dest: 2, sync: true })
  return pino(
    {
      level,
      base: agent === undefined ? {} : { agent },
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
    },
    {
      write: (line) => {
        target.file?.write(line)
        standardError.write(line)
      },
    },
  )
}
