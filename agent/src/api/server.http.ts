/** Listens on a port for the local API. */

import type { IncomingMessage, ServerResponse } from 'node:http'
import { createRequire } from 'node:module'
import type { AddressInfo } from 'node:net'
import { Failure } from '@imlma/protocol/result'
import type { App } from './app.http.ts'

// An `import` reads every export of a module, and reading those of `node:http` that belong to the browser's WebSocket
// loads Node's whole HTTP client of the Fetch standard: 6 MB that nobody here needs. For the same reason the API does
// without `Request` and `Response`.
const { createServer } = createRequire(import.meta.url)('node:http') as typeof import('node:http')

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
export const listen = async (app: App, { host, port }: Address): Promise<ApiServer> => {
  const server = createServer((request, response) => void serve(app, request, response))
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => reject(toFailure(cause, { host, port })))
    server.listen(port, host, resolve)
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

const serve = async (app: App, request: IncomingMessage, response: ServerResponse): Promise<void> => {
  const body = await readBody(request, app.bodyBytesMax).catch(() => undefined)
  // Whoever asked has gone in the middle of the request.
  if (body === undefined) return
  const {
    status,
    headers,
    body: content,
  } = await app.answer({
    method: request.method ?? 'GET',
    url: request.url ?? '/',
    body,
    headerLength: request.headers['inference-header-content-length'] as string | undefined,
  })
  // A body that was not read to its end would be taken for the next request.
  const ending = request.complete ? {} : { connection: 'close' }
  response.writeHead(status, { ...headers, ...ending, 'content-length': Buffer.byteLength(content) })
  response.end(content)
}

/** The body, or its beginning: the first chunk that goes beyond `bytesMax` is the last one read. */
const readBody = (request: IncomingMessage, bytesMax: number): Promise<Uint8Array> =>
  new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    let bytes = 0
    request.on('data', (chunk: Buffer) => {
      chunks.push(chunk)
      bytes += chunk.length
      if (bytes <= bytesMax) return
      request.pause()
      resolve(Buffer.concat(chunks))
    })
    request.once('end', () => resolve(chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks)))
    request.once('error', reject)
    request.once('close', () => reject(new Error('the request was cut off')))
  })

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
