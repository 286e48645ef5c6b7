/**
 * The door for those who have a certificate: TLS 1.3, both sides show one, and OpenSSL decides whether to believe it.
 * What it says, and whether it was denied since, is asked once the handshake is over.
 */

import type { Socket } from 'node:net'
import { createServer, type Server, type TLSSocket } from 'node:tls'
import { constants } from 'node:crypto'
import { toIdentity, toSerial, type TlsMaterial } from '../trust/pki/index.ts'
import type { Holder } from './access.ts'
import { addressOf } from './lobby.net.ts'
import { openDoor, type Arrival, type Listener, type ListenerOptions } from './listener.net.ts'

/** A slow line needs a second or two; whoever takes longer holds a place that others wait for. */
const handshakeMsMax = 5_000

/** A connection of somebody whose certificate was believed. */
export interface Peer {
  readonly holder: Holder
  readonly serial: string
  readonly expiresAt: number
}

export interface TlsListenerOptions extends Omit<ListenerOptions, 'onConnection'> {
  readonly material: TlsMaterial
  readonly onConnection: (arrival: Arrival, peer: Peer) => void
  /** No handshake came about; `isForged` where a certificate was shown that is not to be believed. */
  readonly onHandshakeFailed: (address: string, code: string, isForged: boolean) => void
}

export interface TlsListener extends Listener {
  /** For new connections from now on. */
  readonly renew: (material: TlsMaterial) => void
}

/** Throws `Failure` PORT_TAKEN, LISTEN_FAILED. */
export const listenTls = async (options: TlsListenerOptions): Promise<TlsListener> => {
  const { material, onConnection, onHandshakeFailed } = options
  const server: Server = createServer({
    ...material,
    requestCert: true,
    rejectUnauthorized: true,
    minVersion: 'TLSv1.3',
    handshakeTimeout: handshakeMsMax,
    noDelay: true,
    // A resumed session would not look at the certificate again.
    secureOptions: constants.SSL_OP_NO_TICKET,
  })
  server.on('tlsClientError', (error: NodeJS.ErrnoException, socket: TLSSocket) => {
    // Where the certificate was refused, the error only says that the connection is gone.
    const refused = refusalOf(socket)
    onHandshakeFailed(addressBelow(socket), refused ?? error.code ?? 'UNKNOWN', refused !== undefined)
    socket.destroy()
  })
  const listener = await openDoor(
    { server, arrives: 'secureConnection', portOption: '--mqtts-port' },
    {
      ...options,
      onConnection: (arrival) => {
        const peer = peerOf(arrival.socket)
        if (peer !== undefined) return onConnection(arrival, peer)
        onHandshakeFailed(addressOf(arrival.socket), 'NO_IDENTITY', true)
        arrival.socket.destroy()
      },
    },
  )
  return { ...listener, renew: (renewed) => server.setSecureContext(renewed) }
}

const peerOf = (socket: Socket): Peer | undefined => {
  const secure = socket as TLSSocket
  const certificate = secure.getPeerX509Certificate()
  if (!secure.authorized || certificate === undefined) return undefined
  const holder = toIdentity(certificate)
  return holder && { holder, serial: toSerial(certificate), expiresAt: certificate.validToDate.getTime() }
}

/** Why OpenSSL did not believe the certificate, `CERT_HAS_EXPIRED`; its type says Error, it is the code. */
const refusalOf = ({ authorizationError }: TLSSocket): string | undefined =>
  authorizationError ? String(authorizationError) : undefined

/** A connection that was refused has forgotten its address; the TCP connection below it, which Node keeps, has not. */
const addressBelow = (socket: TLSSocket): string => {
  const { _parent: below } = socket as TLSSocket & { readonly _parent?: Socket }
  return addressOf(below ?? socket)
}
