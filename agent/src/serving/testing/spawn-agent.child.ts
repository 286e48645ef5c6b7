/** A real agent process for tests and benchmarks. */

import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

const launcher = fileURLToPath(new URL('../../../bin/imlma-agent.mjs', import.meta.url))

export interface SpawnedAgent {
  readonly process: ChildProcess
  /** Address of its local API; rejects with its log when it ends before it is up. */
  readonly up: Promise<string>
  readonly log: () => string
  /** Sends the signal and resolves with the exit code. */
  readonly end: (signal?: NodeJS.Signals) => Promise<number | null>
}

export const spawnAgent = (args: readonly string[]): SpawnedAgent => {
  const child = spawn(process.execPath, [launcher, ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
  let log = ''
  let out = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    log = (log + text).slice(-100_000)
  })
  const exited = once(child, 'close').then(([code]) => code as number | null)
  const up = new Promise<string>((resolve, reject) => {
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      out += text
      const line = /^.*"event":"up".*$/m.exec(out)
      if (line !== null) resolve((JSON.parse(line[0]) as { api: string }).api)
    })
    void exited.then((code) => reject(new Error(`ended with ${code} before it was up:\n${log}`)))
  })
  // Whoever does not ask whether it came up is not told.
  up.catch(() => undefined)
  return {
    process: child,
    up,
    log: () => log,
    end: (signal = 'SIGTERM') => {
      child.kill(signal)
      return exited
    },
  }
}
