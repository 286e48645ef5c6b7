/** A program as a person runs it: a process with arguments, its output, and how it ended. */

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { until } from './until.timer.ts'

export interface Ending {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

export interface Program {
  readonly pid: number
  readonly out: () => string
  readonly err: () => string
  /** The first match in standard output; throws with everything that was said when the program ends before. */
  readonly says: (pattern: RegExp, secondsMax?: number) => Promise<RegExpExecArray>
  readonly ended: Promise<Ending>
  /** Resolves with its standard output when it has ended well; throws with everything that was said otherwise. */
  readonly succeeds: () => Promise<string>
  readonly signal: (signal: NodeJS.Signals) => void
  /** Ends it if it still runs: asks first, insists after ten seconds. */
  readonly dispose: () => Promise<void>
}

const insistMs = 15_000

/** Starts `script` in `folder`, where it also leaves what it writes beside itself. */
export const runProgram = (script: URL, args: readonly string[], folder: string): Program => {
  const child = spawn(process.execPath, [fileURLToPath(script), ...args], {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: withoutOurSettings(process.env),
  })
  let out = ''
  let err = ''
  let ending: Ending | undefined
  child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (err += text))
  const ended = once(child, 'close').then(([code, signal]: Ending[keyof Ending][]): Ending => {
    ending = { code, signal } as Ending
    return ending
  })
  const told = () => `standard output:\n${out}\nstandard error:\n${err}`
  return {
    pid: child.pid ?? 0,
    out: () => out,
    err: () => err,
    says: async (pattern, secondsMax) => {
      const found = await until(
        `the program says ${pattern.source}`,
        () => pattern.exec(out) ?? ending,
        secondsMax,
      ).catch((cause: unknown) => {
        throw new Error(`${(cause as Error).message}; ${told()}`, { cause })
      })
      if ('code' in found) throw new Error(`it ended with ${JSON.stringify(found)} before; ${told()}`)
      return found
    },
    ended,
    succeeds: async () => {
      const { code, signal } = await ended
      if (code !== 0) throw new Error(`it ended with ${signal ?? `code ${code}`}; ${told()}`)
      return out
    },
    signal: (signal) => child.kill(signal),
    dispose: async () => {
      if (ending !== undefined) return
      child.kill('SIGTERM')
      const insist = setTimeout(() => child.kill('SIGKILL'), insistMs)
      await ended
      clearTimeout(insist)
    },
  }
}

/** What a developer has set in a shell is not part of a story. */
const withoutOurSettings = (environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv =>
  Object.fromEntries(
    Object.entries(environment).filter(([name]) => !/^(?:IMLMA_|VITEST|NODE_OPTIONS)/.test(name)),
  )
