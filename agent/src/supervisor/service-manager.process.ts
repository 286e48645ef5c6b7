/**
 * What systemd is told, and how: that the agent is ready, stopping, and, again and again, alive. Node knows no datagram
 * sockets of Unix, which is how systemd listens; its own `systemd-notify` does, a process of two milliseconds three times
 * in a watchdog's period. Where no one listens, nobody is told and nothing is started.
 */

import { execFile } from 'node:child_process'

export interface ServiceManager {
  readonly ready: () => void
  readonly stopping: () => void
  /** A configuration is being read again. */
  readonly status: (text: string) => void
  readonly stop: () => void
}

export interface ServiceManagerOptions {
  /** `NOTIFY_SOCKET`, as systemd gives it. */
  readonly socket: string | undefined
  /** `WATCHDOG_USEC`: silence after which systemd ends the process, in microseconds. */
  readonly watchdogUs: string | undefined
}

/** systemd's own program. */
const program = 'systemd-notify'
/** A telling that takes longer is a machine that has other troubles; the next one comes. */
const tellMsMax = 5_000

export const createServiceManager = (
  { onFailure }: { readonly onFailure: (cause: unknown) => void },
  { socket, watchdogUs }: ServiceManagerOptions,
): ServiceManager => {
  let alive: NodeJS.Timeout | undefined
  const tell = (...words: readonly string[]): void => {
    if (socket === undefined) return
    const env = { NOTIFY_SOCKET: socket, PATH: '/usr/bin:/bin' }
    execFile(program, [...words], { env, timeout: tellMsMax }, (cause) => {
      if (cause !== null) onFailure(cause)
    })
  }
  const periodMs = Number(watchdogUs) / 1_000
  return {
    ready: () => {
      tell('--ready')
      // From the loop that does everything else: an agent whose loop hangs falls silent.
      if (periodMs > 0) alive ??= setInterval(() => tell('WATCHDOG=1'), periodMs / 3).unref()
    },
    stopping: () => tell('STOPPING=1'),
    status: (text) => tell(`--status=${text}`),
    stop: () => clearInterval(alive),
  }
}
