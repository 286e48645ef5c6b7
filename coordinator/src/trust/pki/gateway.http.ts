/**
 * The gateway listener: where agents get and renew their certificates and fetch artifacts over HTTPS. TLS 1.3 only;
 * OpenSSL verifies whatever certificate a client shows, and each route says whether it needs one. Strangers may
 * connect, so everything they can take is bounded: connections, time, headers, bodies, requests.
 */

import { constants, type X509Certificate } from 'node:crypto'
import { createReadStream } from 'node:fs'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import { pipeline } from 'node:stream/promises'
import type { TLSSocket } from 'node:tls'
import type { z } from 'zod'
import { accept, Failure, refuse, type Refusal, type Result } from '@imlma/protocol/result'
import { enrolRequestSchema, renewRequestSchema } from '@imlma/protocol/trust'
import { parseJsonMessage } from '@imlma/protocol/wire'
import type { EnrolmentDesk, Peer } from './enrolment.fs.ts'
import type { TlsMaterial } from './material.fs.ts'
import { parseRange } from './range.ts'
import { createRateLimit } from './rate.ts'

export interface GatewayParts {
  readonly desk: EnrolmentDesk
  /** Path and size of an artifact that agents may fetch. */
  readonly artifact: (
    sha256: string,
  ) => Promise<{ readonly path: string; readonly bytes: number } | undefined>
  readonly now: () => number
  readonly onFailure: (error: unknown) => void
}

export interface GatewayOptions {
  readonly host: string
  readonly port: number
  readonly tls: TlsMaterial
  /** Sockets of one address: the agents of a workshop enrol from behind one. */
  readonly connectionsPerAddressMax?: number
  /** Sockets of all: a fleet renews over ten days. */
  readonly connectionsMax?: number
  /** Requests of one address, for those that cost a signature: more than a person starts at once. */
  readonly burst?: number
  readonly perSecond?: number
}

export interface Gateway {
  readonly port: number
  /** For new connections from now on. */
  readonly renewTls: (material: TlsMaterial) => void
  readonly close: () => Promise<void>
}

/** A request for a certificate has about 2,200 characters. */
const bodyBytesMax = 16_384
const headerBytesMax = 8_192
/** For hands that shake, headers and bodies that dribble in: slow lines need a second or two. */
const handshakeMsMax = 10_000
const headersMsMax = 10_000
const requestMsMax = 20_000
/** A reader of an artifact that takes nothing for so long is gone. */
const idleMsMax = 60_000
/** An agent asks once in twenty days; whoever stays holds a place. */
const keepAliveMs = 5_000

const statusOf: Readonly<Record<string, number>> = {
  TOKEN_UNKNOWN: 403,
  TOKEN_EXPIRED: 403,
  TOKEN_USED: 409,
  WRONG_TARGET: 403,
  BAD_REQUEST: 400,
  DENIED: 403,
  TOO_EARLY: 409,
  TOO_MANY: 429,
  NO_CERTIFICATE: 401,
  TOO_LARGE: 413,
  NOT_FOUND: 404,
  RANGE_OUTSIDE: 416,
  UNAVAILABLE: 503,
}

/** Resolves when it listens. Throws `Failure` PORT_TAKEN, LISTEN_FAILED. */
export const startGateway = async (parts: GatewayParts, options: GatewayOptions): Promise<Gateway> => {
  const {
    host,
    port,
    connectionsPerAddressMax = 64,
    connectionsMax = 1_024,
    burst = 64,
    perSecond = 8,
  } = options
  const server = createServer({
    ...toContext(options.tls),
    requestCert: true,
    // A new gateway has none yet: the routes that need one look whether OpenSSL has verified it.
    rejectUnauthorized: false,
    handshakeTimeout: handshakeMsMax,
    maxHeaderSize: headerBytesMax,
    headersTimeout: headersMsMax,
    requestTimeout: requestMsMax,
    keepAliveTimeout: keepAliveMs,
    connectionsCheckingInterval: 1_000,
  })
  server.maxConnections = connectionsMax
  server.setTimeout(idleMsMax)
  boundByAddress(server, connectionsPerAddressMax)

  const mayAsk = createRateLimit({ burst, perSecond, keysMax: 10_000 })
  server.on('request', (request, response) => {
    serve(parts, mayAsk, request, response).catch((error: unknown) => {
      // A client that went away in the middle is no failure of ours.
      if (!request.socket.destroyed) parts.onFailure(error)
      if (response.headersSent) response.destroy()
      else
        sendRefusal(response, {
          code: 'UNAVAILABLE',
          message: 'the control centre could not do it',
          hint: 'try again later',
        })
    })
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause) => reject(toFailure(cause, host, port)))
    server.listen(port, host, resolve)
  })
  return {
    port: (server.address() as AddressInfo).port,
    renewTls: (material) => server.setSecureContext(toContext(material)),
    close: () =>
      new Promise((closed) => {
        server.close(() => closed())
        server.closeAllConnections()
      }),
  }
}

/** The authority goes along with the certificate: a new gateway compares it with its token. */
const toContext = ({ ca, cert, key }: TlsMaterial) =>
  ({
    ca,
    cert: `${cert}${ca}`,
    key,
    minVersion: 'TLSv1.3',
    secureOptions: constants.SSL_OP_NO_TICKET,
  }) as const

/** Counted before the handshake, which is what costs. */
const boundByAddress = (server: ReturnType<typeof createServer>, most: number): void => {
  const open = new Map<string, number>()
  server.prependListener('connection', (socket: Socket) => {
    const address = socket.remoteAddress ?? ''
    const count = (open.get(address) ?? 0) + 1
    open.set(address, count)
    socket.once('close', () => {
      const left = (open.get(address) ?? 1) - 1
      if (left === 0) open.delete(address)
      else open.set(address, left)
    })
    if (count > most) socket.destroy()
  })
}

const serve = async (
  { desk, artifact, now }: GatewayParts,
  mayAsk: (address: string, now: number) => boolean,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> => {
  const { method, url: path = '' } = request
  const digest = /^\/artifacts\/([0-9a-f]{64})$/.exec(path)?.[1]
  if (method === 'GET' && digest !== undefined) {
    const peer = await identify(desk, request, now())
    return peer.ok
      ? sendArtifact(await artifact(digest), request, response)
      : sendRefusal(response, peer.refusal)
  }
  if (method !== 'POST' || (path !== '/enrol' && path !== '/renew')) {
    return sendRefusal(response, {
      code: 'NOT_FOUND',
      message: 'POST /enrol, POST /renew, GET /artifacts/{sha256}',
    })
  }
  if (!mayAsk(request.socket.remoteAddress ?? '', now())) {
    return sendRefusal(response, {
      code: 'TOO_MANY',
      message: 'too many requests from this address',
      hint: 'wait a minute',
    })
  }
  const answer = path === '/enrol' ? await enrol(desk, request) : await renew(desk, request, now())
  return answer.ok ? sendJson(response, 200, answer.value) : sendRefusal(response, answer.refusal)
}

const enrol = async (desk: EnrolmentDesk, request: IncomingMessage) => {
  const body = await readBody(request, enrolRequestSchema)
  return body.ok ? desk.enrol(body.value) : body
}

const renew = async (desk: EnrolmentDesk, request: IncomingMessage, now: number) => {
  const peer = await identify(desk, request, now)
  if (!peer.ok) return peer
  const body = await readBody(request, renewRequestSchema)
  return body.ok ? desk.renew(peer.value, body.value) : body
}

type IdentifyRefusal = 'NO_CERTIFICATE' | 'DENIED' | 'WRONG_TARGET'

/** Looked at for each request: a connection may have been open since before a denial. */
const identify = async (
  desk: EnrolmentDesk,
  { socket }: IncomingMessage,
  now: number,
): Promise<Result<Peer, IdentifyRefusal>> => {
  const tls = socket as TLSSocket
  const certificate: X509Certificate | undefined = tls.authorized ? tls.getPeerX509Certificate() : undefined
  if (certificate === undefined || certificate.validToDate.getTime() <= now) {
    const reason = tls.authorized ? 'it has expired' : String(tls.authorizationError)
    return refuse(
      'NO_CERTIFICATE',
      `a valid certificate of this site is needed (${reason})`,
      'enrol the gateway anew',
    )
  }
  return desk.admit(certificate)
}

const readBody = async <Message>(
  request: IncomingMessage,
  schema: z.ZodType<Message>,
): Promise<Result<Message, 'BAD_REQUEST' | 'TOO_LARGE'>> => {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.byteLength
    if (bytes > bodyBytesMax) return refuse('TOO_LARGE', `at most ${bodyBytesMax} bytes are read`)
    chunks.push(chunk)
  }
  const message = parseJsonMessage(schema, Buffer.concat(chunks), bodyBytesMax)
  return message.ok ? accept(message.value) : refuse('BAD_REQUEST', message.refusal.message)
}

const sendArtifact = async (
  found: { readonly path: string; readonly bytes: number } | undefined,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> => {
  if (found === undefined)
    return sendRefusal(response, { code: 'NOT_FOUND', message: 'no artifact of that hash' })
  const range = parseRange(request.headers.range, found.bytes)
  if (!range.ok) {
    response.setHeader('content-range', `bytes */${found.bytes}`)
    return sendRefusal(response, range.refusal)
  }
  const { start, end } = range.value ?? { start: 0, end: found.bytes - 1 }
  response.writeHead(range.value === undefined ? 200 : 206, {
    'content-type': 'application/octet-stream',
    'content-length': end - start + 1,
    'accept-ranges': 'bytes',
    ...(range.value === undefined ? {} : { 'content-range': `bytes ${start}-${end}/${found.bytes}` }),
  })
  await pipeline(createReadStream(found.path, { start, end }), response)
}

const sendRefusal = (response: ServerResponse, refusal: Refusal): void => {
  // What was not read of the request would otherwise be taken for the next one.
  response.setHeader('connection', 'close')
  sendJson(response, statusOf[refusal.code] ?? 400, refusal)
}

const sendJson = (response: ServerResponse, status: number, document: unknown): void => {
  const body = JSON.stringify(document)
  response.writeHead(status, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(body),
    'cache-control': 'no-store',
  })
  response.end(body)
}

const toFailure = (cause: Error, host: string, port: number): Failure =>
  'code' in cause && cause.code === 'EADDRINUSE'
    ? new Failure('PORT_TAKEN', `port ${port} on ${host} is in use by another program`, {
        cause,
        hint: 'end that program, or choose another port with --gateway-port (0 takes any free one)',
      })
    : new Failure('LISTEN_FAILED', `cannot listen on ${host}:${port}: ${cause.message}`, {
        cause,
        hint: 'choose an address of this machine with --host, and a port above 1023',
      })
