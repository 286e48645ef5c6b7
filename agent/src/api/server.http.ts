/** Listens on a port for the local API. */

import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { serve } from '@hono/node-server'
import { Failure } from '@imlma/protocol/result'

export interface ApiServer {
  readonly url: string
  /** Ends open connections: a client that keeps one alive must not hold up the stop. */
  readonly close: () => Promise<void>
}

interface Address {
  readonly host: string
  /** 0 takes a free one. */
  readonly port: number
}

/** Throws `Failure` PORT_TAKEN, LISTEN_FAILED. */
export const listen = async (
  fetch: (request: Request) => Response | Promise<Response>,
  { host, port }: Address,
): Promise<ApiServer> => {
  const server = await new Promise<Server>((resolve, reject) => {
    const starting = serve({ fetch, hostname: host, port }, () => resolve(starting as Server))
    starting.once('error', (cause: NodeJS.ErrnoException) => reject(toFailure(cause, { host, port })))
  })
  const { port: taken } = server.address() as AddressInfo
  return {
    url: `http://${host.includes(':') ? `[${host}]` : host}:${taken}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

const toFailure = (cause: NodeJS.ErrnoException, { host, port }: Address): Failure =>
  cause.code === 'EADDRINUSE'
    ? new Failure('PORT_TAKEN', `port ${port} on ${host} is taken`, {
        cause,
        hint: 'choose another port with --port (0 takes a free one)',
      })
    : new Failure('LISTEN_FAILED', `cannot listen on ${host}, port ${port}`, {
        cause,
        hint: 'check --host and --port',
      })
