/** A part of the control centre as a real process that a test may kill at any moment. */

import { fork } from 'node:child_process'
import { once } from 'node:events'
import { createServer, type AddressInfo } from 'node:net'

const coordinator = new URL('../../coordinator/src/main.ts', import.meta.url)

export interface Part {
  /** Its addresses, once it is up; rejects with its log when it ends before that. */
  readonly up: Promise<{ readonly api?: string; readonly broker: string }>
  readonly log: () => string
  /** Sends the signal and resolves when the process is gone. */
  readonly end: (signal?: NodeJS.Signals) => Promise<void>
}

/** `program` instead of the coordinator's own main file: a program that says `up` in the same words. */
export const startPart = (args: readonly string[], program: URL = coordinator): Part => {
  const child = fork(program, [...args], { stdio: ['ignore', 'ignore', 'pipe', 'ipc'] })
  let log = ''
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    log = (log + text).slice(-100_000)
  })
  const exited = once(child, 'close')
  const up = new Promise<Awaited<Part['up']>>((resolve, reject) => {
    child.on('message', (message: { event?: string } & Awaited<Part['up']>) => {
      if (message.event === 'up') resolve(message)
    })
    void exited.then(() => reject(new Error(`ended before it was up:\n${log}`)))
  })
  // Whoever does not ask whether it came up is not told.
  up.catch(() => undefined)
  return {
    up,
    log: () => log,
    end: async (signal = 'SIGTERM') => {
      child.kill(signal)
      await exited
    },
  }
}

/** A port that nobody has: what is started again and again must be found at the same place. */
export const freePort = async (): Promise<number> => {
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}
