/** Puts the app behind a port. */

import type { AddressInfo } from 'node:net'
import { createAdaptorServer } from '@hono/node-server'
import type { Hono } from 'hono'
import { Failure } from '@imlma/protocol/result'
import type { AccessEnv } from './access.http.ts'

export interface HttpServer {
  /** Where people go, for example `http://127.0.0.1:4600`. */
  readonly url: string
  readonly port: number
  /** Ends open streams, too. */
  readonly close: () => Promise<void>
}

/** Resolves when requests are answered. Throws `Failure` PORT_TAKEN, PORT_FORBIDDEN, HOST_UNKNOWN. */
export const startServer = (
  app: Hono<AccessEnv>,
  { host, port }: { readonly host: string; readonly port: number },
): Promise<HttpServer> =>
  new Promise((resolve, reject) => {
    const server = createAdaptorServer({ fetch: app.fetch })
    server.once('error', (cause: NodeJS.ErrnoException) => reject(toFailure(cause, host, port)))
    server.listen(port, host, () => {
      const { port: bound } = server.address() as AddressInfo
      resolve({
        url: `http://${host.includes(':') ? `[${host}]` : host}:${bound}`,
        port: bound,
        close: () =>
          new Promise((closed) => {
            server.close(() => closed())
            // Event streams never end by themselves.
            if ('closeAllConnections' in server) server.closeAllConnections()
          }),
      })
    })
  })

/** True where only this machine can reach the host. */
export const isLoopback = (host: string): boolean =>
  host === 'localhost' || host === '::1' || host.startsWith('127.')

const toFailure = (cause: NodeJS.ErrnoException, host: string, port: number): Failure => {
  switch (cause.code) {
    case 'EADDRINUSE':
      return new Failure('PORT_TAKEN', `port ${port} on ${host} is in use by another program`, {
        cause,
        hint: `end that program, or choose another port with --port (0 takes any free one)`,
      })
    case 'EACCES':
      return new Failure('PORT_FORBIDDEN', `port ${port} may not be used by this user`, {
        cause,
        hint: 'choose a port above 1023 with --port',
      })
    default:
      return new Failure('HOST_UNKNOWN', `cannot listen on ${host}:${port}: ${cause.message}`, {
        cause,
        hint: 'choose an address of this machine with --host, for example 127.0.0.1',
      })
  }
}
