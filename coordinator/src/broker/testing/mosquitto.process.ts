/** A real Mosquitto, where there is one, with the configuration that `imlma broker acl` writes. For tests. */

import { spawn, type ChildProcess } from 'node:child_process'
import { existsSync } from 'node:fs'
import { once } from 'node:events'
import { createConnection, createServer, type AddressInfo } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'

const program = '/usr/sbin/mosquitto'

/** Debian keeps it where people have no path to. */
export const mosquittoIsMissing = !existsSync(program)
export const mosquittoHint = `${program} is missing: apt install mosquitto`

export interface Mosquitto {
  readonly log: () => string
  readonly stop: () => Promise<void>
}

/** Resolves when both ports answer. */
export const startMosquitto = async (configuration: string, ports: readonly number[]): Promise<Mosquitto> => {
  const child = spawn(program, ['-c', configuration], { stdio: ['ignore', 'ignore', 'pipe'] })
  let log = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => (log += text))
  for (const port of ports) await untilAnswered(child, port, () => log)
  return {
    log: () => log,
    stop: async () => {
      if (child.exitCode !== null) return
      const ended = once(child, 'exit')
      child.kill('SIGTERM')
      await ended
    },
  }
}

const untilAnswered = async (child: ChildProcess, port: number, log: () => string): Promise<void> => {
  for (let tries = 0; tries < 200; tries += 1) {
    if (child.exitCode !== null) break
    const socket = createConnection(port, '127.0.0.1')
    const answered = await Promise.race([
      once(socket, 'connect').then(
        () => true,
        () => false,
      ),
      pause(1_000, false),
    ])
    socket.destroy()
    if (answered) return
    await pause(25)
  }
  child.kill('SIGKILL')
  throw new Error(`mosquitto did not start: ${log()}`)
}

/** Free at this moment. */
export const freePort = async (): Promise<number> => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}
