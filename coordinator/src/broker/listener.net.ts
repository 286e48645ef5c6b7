/** The TCP door of the embedded broker: loopback only while connections are plain, packets bounded before parsing. */

import { createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { limits } from '@imlma/protocol/limits'
import { Failure } from '@imlma/protocol/result'
import { createPacketBound } from './packet-bound.ts'

/** An embedded broker is fit for one to two thousand agents; the rest is people and reconnects that overlap. */
const connectionsMax = 4_096

export interface ListenerOptions {
  readonly host: string
  /** 0 lets the system choose. */
  readonly port: number
  readonly onConnection: (socket: Socket) => void
  readonly onPacketCut: () => void
}

export interface Listener {
  readonly port: number
  /** Takes no new connections and ends all of them. */
  readonly close: () => Promise<void>
}

/** Throws `Failure` PORT_TAKEN, NOT_LOOPBACK, LISTEN_FAILED. */
export const listen = async (options: ListenerOptions): Promise<Listener> => {
  const { host, port, onConnection, onPacketCut } = options
  if (!isLoopback(host)) {
    throw new Failure('NOT_LOOPBACK', `plain MQTT is not offered on ${host}`, {
      hint: 'listen on 127.0.0.1, or use an outside broker with TLS (`--broker mqtts://…`)',
    })
  }
  const sockets = new Set<Socket>()
  const server = createServer({ noDelay: true }, (socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
    boundPackets(socket, onPacketCut)
    onConnection(socket)
  })
  server.maxConnections = connectionsMax
  await bind(server, host, port)
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

/** The broker pulls its bytes through `read`: counting there costs no copy and sees them before its parser does. */
const boundPackets = (socket: Socket, onPacketCut: () => void): void => {
  const isWithin = createPacketBound(limits.packetBytesMax)
  const read = socket.read.bind(socket)
  socket.read = (size?: number) => {
    const bytes = read(size) as Uint8Array | null
    if (bytes === null || isWithin(bytes)) return bytes
    onPacketCut()
    socket.destroy()
    return null
  }
}

const bind = async (server: Server, host: string, port: number): Promise<void> => {
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => reject(toFailure(cause, host, port)))
    server.listen(port, host, resolve)
  })
  // From here on a failed connection is that connection's trouble.
  server.removeAllListeners('error').on('error', () => undefined)
}

const toFailure = (cause: NodeJS.ErrnoException, host: string, port: number): Failure =>
  cause.code === 'EADDRINUSE'
    ? new Failure('PORT_TAKEN', `port ${port} on ${host} is taken`, {
        cause,
        hint: 'end the other program, or choose another port with --mqtt-port',
      })
    : new Failure('LISTEN_FAILED', `cannot listen on ${host}:${port}: ${cause.message}`, {
        cause,
        hint: 'choose an address of this machine with --host and a port with --mqtt-port',
      })
