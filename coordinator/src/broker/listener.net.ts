/** A door of the embedded broker on a TCP port: who may stand in it, and for how long. Plain ones are for loopback only. */

import { createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { Failure } from '@imlma/protocol/result'
import { boundReads, type ReadBounds } from './bounded-reads.net.ts'
import { createLobby, type LobbyOptions } from './lobby.net.ts'

/** An embedded broker is fit for one to two thousand agents; the rest is people and reconnects that overlap. */
export const connectionsMaxDefault = 4_096

/** A connection whose bytes are bounded already. */
export interface Arrival {
  readonly socket: Socket
  /** To be called once it has said who it is; `isOurs` lifts the pace. */
  readonly settle: (isOurs: boolean) => void
}

export interface ListenerOptions extends ReadBounds {
  readonly host: string
  /** 0 lets the system choose. */
  readonly port: number
  readonly connectionsMax: number
  readonly lobby: LobbyOptions
  readonly onConnection: (arrival: Arrival) => void
  /** A connection was ended to make room, or because there was none. */
  readonly onTurnedAway: () => void
}

export interface Listener {
  readonly port: number
  /** Takes no new connections and ends all of them. */
  readonly close: () => Promise<void>
}

/** Rights follow from a client's own word here. Throws `Failure` PORT_TAKEN, NOT_LOOPBACK, LISTEN_FAILED. */
export const listenPlain = async (options: ListenerOptions): Promise<Listener> => {
  if (!isLoopback(options.host)) {
    throw new Failure('NOT_LOOPBACK', `plain MQTT is not offered on ${options.host}`, {
      hint: 'listen on 127.0.0.1, make a certificate authority (`imlma pki init`), or use an outside broker with TLS (`--broker mqtts://…`)',
    })
  }
  const server = createServer({ noDelay: true })
  return openDoor({ server, arrives: 'connection', portOption: '--mqtt-port' }, options)
}

interface Door {
  readonly server: Server
  /** Event with which a connection may speak: on the TCP connection, or after the TLS handshake. */
  readonly arrives: 'connection' | 'secureConnection'
  readonly portOption: string
}

export const openDoor = async (
  { server, arrives, portOption }: Door,
  options: ListenerOptions,
): Promise<Listener> => {
  const sockets = new Set<Socket>()
  const lobby = createLobby(options.lobby, options.onTurnedAway)
  server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
    // Until somebody else listens, a connection that breaks off is no news.
    socket.on('error', () => undefined)
    lobby.enter(socket)
  })
  server.on(arrives, (socket: Socket) => {
    if (socket.destroyed) return
    const lift = boundReads(socket, options)
    const settle = (isOurs: boolean): void => {
      lobby.leave(socket)
      if (isOurs) lift()
    }
    options.onConnection({ socket, settle })
  })
  server.on('drop', options.onTurnedAway)
  server.maxConnections = options.connectionsMax
  await bind(server, options, portOption)
  return {
    port: (server.address() as AddressInfo).port,
    close: async () => {
      const closed = new Promise<void>((resolve) => {
        server.close(() => resolve())
      })
      for (const socket of sockets) socket.destroy()
      await closed
    },
  }
}

/** True for the host names and addresses that stay on this machine. */
export const isLoopback = (host: string): boolean =>
  host === 'localhost' || host === '::1' || host === '[::1]' || /^127(\.\d{1,3}){3}$/.test(host)

/** As it stands in a URL; a broker that listens everywhere is also here. */
export const toHostname = (host: string): string => {
  if (host === '0.0.0.0' || host === '::') return 'localhost'
  return host.includes(':') ? `[${host}]` : host
}

const bind = async (server: Server, { host, port }: ListenerOptions, portOption: string): Promise<void> => {
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => reject(toFailure(cause, host, port, portOption)))
    server.listen(port, host, resolve)
  })
  // From here on a failed connection is that connection's trouble.
  server.removeAllListeners('error').on('error', () => undefined)
}

const toFailure = (cause: NodeJS.ErrnoException, host: string, port: number, portOption: string): Failure =>
  cause.code === 'EADDRINUSE'
    ? new Failure('PORT_TAKEN', `port ${port} on ${host} is taken`, {
        cause,
        hint: `end the other program, or choose another port with ${portOption}`,
      })
    : new Failure('LISTEN_FAILED', `cannot listen on ${host}:${port}: ${cause.message}`, {
        cause,
        hint: `choose an address of this machine with --host and a port with ${portOption}`,
      })
