/**
 * The doors of the embedded broker: a plain one on loopback, one with certificates, or both. Knows who came in through
 * which, and shows those out again whose certificate is denied or has run out since.
 */

import type { Socket } from 'node:net'
import type { TlsMaterial } from '../trust/pki/index.ts'
import type { Holder } from './access.ts'
import type { Refused } from './incidents.ts'
import { paceDefault } from './bounded-reads.net.ts'
import {
  connectionsMaxDefault,
  listenPlain,
  type Arrival,
  type Listener,
  type ListenerOptions,
} from './listener.net.ts'
import { listenTls, type Peer, type TlsListener } from './listener.tls.ts'
import type { TokenBucketOptions } from './token-bucket.ts'

export interface CertifiedOptions {
  readonly host: string
  /** 0 lets the system choose. */
  readonly port: number
  readonly material: TlsMaterial
  /** Serials that are believed no more, as of this moment. */
  readonly denied: () => ReadonlySet<string>
  /** Told of each agent that comes in: its certificate may take the place of older ones. */
  readonly noteUse?: (agent: string, serial: string) => Promise<void>
}

export interface DoorsOptions {
  readonly host: string
  /** 0 lets the system choose; none closes the plain door. */
  readonly port?: number
  readonly certified?: CertifiedOptions
  readonly pace?: TokenBucketOptions
  /** Connections of one address that have not said who they are; behind one address may be all gateways of a town. */
  readonly waitingPerAddressMax?: number
}

export interface DoorsParts {
  readonly onConnection: (socket: Socket) => void
  readonly onRefused: (refused: Refused) => void
  /** The list of denials cannot be read; what it said last goes on counting. */
  readonly onFailure: (error: unknown) => void
}

export interface DoorCounters {
  /** Connections cut because of a packet that breaks a bound. */
  readonly packetsCut: number
  /** Connections that were not read for a while, because they sent too much. */
  readonly paused: number
  /** Connections ended because too many had not said who they are. */
  readonly turnedAway: number
  readonly handshakesFailed: number
  /** Connections ended because their certificate was denied or had run out. */
  readonly shownOut: number
}

export interface Doors {
  readonly plain?: Listener
  readonly certified?: TlsListener
  /** Undefined for whoever came through the plain door. */
  readonly peerOf: (connection: object) => Peer | undefined
  /** How many connections a holder of a certificate has. */
  readonly openOf: (holder: Holder) => number
  /** The connection has said who it is; `isOurs` lifts its pace. */
  readonly settle: (connection: object, isOurs: boolean) => void
  readonly counters: () => DoorCounters
  readonly close: () => Promise<void>
}

/** How often denials and expiries are looked at; a second from `imlma pki deny` to the end of the connection is promised. */
const reviewMs = 400
/** Of all addresses together: at 4 ms a handshake, as many as are served in four seconds. */
const waitingMax = 1_024
/** A handshake costs work that is not thrown away for a newcomer. */
const handshakePatienceMs = 2_000
/** People's tools: those of a control room, several times over. */
const guestsMax = 256

/** Listens on return. Throws `Failure` PORT_TAKEN, NOT_LOOPBACK, LISTEN_FAILED. */
export const openDoors = async (parts: DoorsParts, options: DoorsOptions): Promise<Doors> => {
  const { host, port, certified, pace = paceDefault, waitingPerAddressMax = 256 } = options
  const arrivals = new WeakMap<object, Arrival>()
  const peers = new Map<object, Peer>()
  const counts = { packetsCut: 0, paused: 0, turnedAway: 0, handshakesFailed: 0, shownOut: 0 }

  const common = (
    patienceMs: number,
  ): Omit<ListenerOptions, 'host' | 'port' | 'onConnection' | 'connectionsMax'> => ({
    pace,
    lobby: { perAddressMax: waitingPerAddressMax, waitingMax, patienceMs },
    onPacketCut: () => (counts.packetsCut += 1),
    onPaused: () => (counts.paused += 1),
    onTurnedAway: () => (counts.turnedAway += 1),
  })

  const letIn = (arrival: Arrival): void => {
    arrivals.set(arrival.socket, arrival)
    parts.onConnection(arrival.socket)
  }

  let known: ReadonlySet<string> = new Set()
  const denied = (): ReadonlySet<string> => {
    try {
      known = certified?.denied() ?? known
    } catch (error) {
      parts.onFailure(error)
    }
    return known
  }

  const letInAs = (arrival: Arrival, peer: Peer): void => {
    const { socket } = arrival
    const { kind, site, name } = peer.holder
    if (denied().has(peer.serial)) {
      counts.shownOut += 1
      const agent = kind === 'agent' ? name : null
      parts.onRefused({
        code: 'DENIED',
        client: `${kind} ${site}/${name}`,
        agent,
        detail: `certificate ${peer.serial}`,
      })
      socket.destroy()
      return
    }
    if (kind === 'agent') certified?.noteUse?.(name, peer.serial).catch(parts.onFailure)
    peers.set(socket, peer)
    socket.once('close', () => peers.delete(socket))
    letIn(arrival)
  }

  const review = (): void => {
    const serials = denied()
    for (const [socket, { serial, expiresAt }] of peers) {
      if (!serials.has(serial) && expiresAt > Date.now()) continue
      counts.shownOut += 1
      ;(socket as Socket).destroy()
    }
  }

  const plainDoor =
    port === undefined
      ? undefined
      : await listenPlain({
          ...common(0),
          host,
          port,
          connectionsMax: certified === undefined ? connectionsMaxDefault : guestsMax,
          onConnection: letIn,
        })
  const openCertified = async (given: CertifiedOptions): Promise<TlsListener> => {
    known = given.denied()
    return listenTls({
      ...common(handshakePatienceMs),
      host: given.host,
      port: given.port,
      material: given.material,
      connectionsMax: connectionsMaxDefault,
      onConnection: letInAs,
      onHandshakeFailed: (address, code, isForged) => {
        counts.handshakesFailed += 1
        if (!isForged) return
        parts.onRefused({ code: 'BAD_CERTIFICATE', client: address, agent: null, detail: code })
      },
    })
  }
  const certifiedDoor =
    certified &&
    (await openCertified(certified).catch(async (failure: unknown) => {
      await plainDoor?.close()
      throw failure
    }))
  const reviewTimer = certified && setInterval(review, reviewMs)

  return {
    ...(plainDoor && { plain: plainDoor }),
    ...(certifiedDoor && { certified: certifiedDoor }),
    peerOf: (connection) => peers.get(connection),
    openOf: (holder) => [...peers.values()].filter((peer) => isSame(peer.holder, holder)).length,
    settle: (connection, isOurs) => arrivals.get(connection)?.settle(isOurs),
    counters: () => ({ ...counts }),
    close: async () => {
      clearInterval(reviewTimer)
      await Promise.all([plainDoor?.close(), certifiedDoor?.close()])
    },
  }
}

const isSame = (a: Holder, b: Holder): boolean => a.kind === b.kind && a.site === b.site && a.name === b.name
