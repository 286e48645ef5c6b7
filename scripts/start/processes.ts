/**
 * The processes of a running house: each is started with an IPC channel, says `up` on it with its addresses, and
 * ends by SIGTERM. They live in process groups of their own, so Ctrl-C reaches only us and we end them in order;
 * if we die, the closed channel tells them to stop.
 */

import { fork, type ChildProcess } from 'node:child_process'
import { openSync } from 'node:fs'
import { Failure } from '@imlma/protocol/result'

const stopGraceMs = 10_000
const startMsMax = 60_000

export interface Up {
  readonly event: 'up'
  readonly [address: string]: unknown
}

/** Where the first administrator chooses a password; a secret, said once and before `up`. */
interface Setup {
  readonly event: 'setup'
  readonly url: string
}

interface Failed {
  readonly event: 'failed'
  readonly code: string
  readonly message: string
  readonly hint?: string
}

/** What a process must be given when it begins. */
export interface Birth {
  readonly execArgv: readonly string[]
  readonly env: Readonly<Record<string, string>>
}

export interface House {
  /** Resolves with what the process says of itself; throws its own `Failure` when it ends before that. */
  readonly start: (name: string, script: URL, args: readonly string[], born?: Birth) => Promise<Up>
  /** Called when a process ends that nobody asked to end. */
  readonly onEnded: (listener: (name: string, how: string) => void) => void
  readonly pid: (name: string) => number | undefined
  /** Ends all, the last started first. */
  readonly stop: () => Promise<void>
}

/** `logFolder` takes what each process writes to standard error, one file a process. */
export const createHouse = (logFolder: string): House => {
  const children = new Map<string, ChildProcess>()
  const listeners: ((name: string, how: string) => void)[] = []
  let stopping = false

  const start: House['start'] = (name, script, args, born) =>
    new Promise((resolve, reject) => {
      const log = openSync(`${logFolder}/${name}.log`, 'a')
      const child = fork(script, args, {
        detached: true,
        stdio: ['ignore', log, log, 'ipc'],
        ...(born && { execArgv: [...born.execArgv], env: { ...born.env, ...process.env } }),
      })
      children.set(name, child)
      let isUp = false
      let failure: Failure | undefined
      let setup: string | undefined
      const timer = setTimeout(() => child.kill('SIGKILL'), startMsMax)
      child.on('message', (message: Up | Failed | Setup) => {
        if (message.event === 'setup') setup = message.url
        if (message.event === 'failed') {
          const { code, message: text, hint } = message
          failure = new Failure(code, text, hint === undefined ? {} : { hint })
        }
        if (message.event !== 'up' || isUp) return
        isUp = true
        clearTimeout(timer)
        resolve(setup === undefined ? message : { ...message, setup })
      })
      child.once('exit', (code, signal) => {
        clearTimeout(timer)
        children.delete(name)
        const how = signal === null ? `with code ${code}` : `by ${signal}`
        if (!isUp) reject(failure ?? new Error(`${name} ended ${how}; see ${logFolder}/${name}.log`))
        else if (!stopping) for (const listener of listeners) listener(name, how)
      })
    })

  const end = (child: ChildProcess): Promise<void> =>
    new Promise((resolve) => {
      const kill = setTimeout(() => child.kill('SIGKILL'), stopGraceMs)
      child.once('exit', () => {
        clearTimeout(kill)
        resolve()
      })
      child.kill('SIGTERM')
    })

  return {
    start,
    onEnded: (listener) => listeners.push(listener),
    pid: (name) => children.get(name)?.pid,
    stop: async () => {
      stopping = true
      for (const [name, child] of [...children].toReversed()) {
        await end(child)
        children.delete(name)
      }
    },
  }
}
