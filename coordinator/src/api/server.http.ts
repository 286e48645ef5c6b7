/** Puts the app behind a port. */

import { createServer as createTlsServer } from 'node:https'
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

/** PEM. */
export interface ServerTls {
  readonly cert: string
  readonly key: string
}

export interface ServerOptions {
  readonly host: string
  readonly port: number
  /** Beyond loopback it must be there. */
  readonly tls?: ServerTls
}

/** Screens, programs and their event streams; a browser opens six. */
const connectionsMax = 1_024
/** A request line and its headers come within this, or the connection is taken for one that only holds a place. */
const headersTimeoutMs = 10_000

/** Resolves when requests are answered. Throws `Failure` TLS_NEEDED, TLS_UNUSABLE, PORT_TAKEN, PORT_FORBIDDEN, HOST_UNKNOWN. */
export const startServer = (app: Hono<AccessEnv>, { host, port, tls }: ServerOptions): Promise<HttpServer> =>
  new Promise((resolve, reject) => {
    if (tls === undefined && !isLoopback(host)) throw needsTls(host)
    const server = listenerOf(app, tls)
    server.maxConnections = connectionsMax
    server.once('error', (cause: NodeJS.ErrnoException) => reject(toFailure(cause, host, port)))
    server.listen(port, host, () => {
      const { port: bound } = server.address() as AddressInfo
      resolve({
        url: `${tls === undefined ? 'http' : 'https'}://${host.includes(':') ? `[${host}]` : host}:${bound}`,
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

const listenerOf = (app: Hono<AccessEnv>, tls: ServerTls | undefined) => {
  const serverOptions = { headersTimeout: headersTimeoutMs }
  if (tls === undefined) return createAdaptorServer({ fetch: app.fetch, serverOptions })
  try {
    return createAdaptorServer({
      fetch: app.fetch,
      createServer: createTlsServer,
      // Every browser since 2019 speaks it, and nothing below it is of use here.
      serverOptions: { ...serverOptions, ...tls, minVersion: 'TLSv1.3' },
    })
  } catch (cause) {
    throw new Failure(
      'TLS_UNUSABLE',
      `the certificate of the API cannot be used: ${(cause as Error).message}`,
      {
        cause,
        hint: 'certificate and key must be PEM and belong together',
      },
    )
  }
}

const needsTls = (host: string): Failure =>
  new Failure('TLS_NEEDED', `${host} can be reached from other machines, and there is no certificate`, {
    hint: 'make an authority with `imlma pki init`, give --api-cert and --api-key, or stay on 127.0.0.1',
  })

/** True where only this machine can reach the host. */
export const isLoopback = (host: string): boolean =>
  host === 'localhost' || host === '::1' || /^127(?:\.\d{1,3}){3}$/.test(host)

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
