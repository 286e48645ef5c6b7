/**
 * Connections that have not said yet who they are. Anybody may knock, so there is room for a bounded number of them,
 * from one address and from all. Where it is full, the one that has waited longest makes room: an honest client says who
 * it is within a few round trips, a flood of silent ones never does. Where everybody has only just come, the newcomer
 * is turned away: work that was begun for the others is not thrown away.
 */

import type { Socket } from 'node:net'

export interface LobbyOptions {
  readonly perAddressMax: number
  readonly waitingMax: number
  /** Whoever waits for less keeps its place. */
  readonly patienceMs: number
}

export interface Lobby {
  readonly enter: (socket: Socket) => void
  /** It has said who it is, or is gone. A TLS connection may stand for the one that it runs on. */
  readonly leave: (socket: Socket) => void
}

export const createLobby = (
  { perAddressMax, waitingMax, patienceMs }: LobbyOptions,
  onTurnedAway: () => void,
): Lobby => {
  /** In the order in which they came. */
  const waiting = new Map<
    string,
    { readonly socket: Socket; readonly address: string; readonly since: number }
  >()
  const counts = new Map<string, number>()

  const remove = (key: string): void => {
    const found = waiting.get(key)
    if (found === undefined) return
    waiting.delete(key)
    const rest = (counts.get(found.address) ?? 1) - 1
    if (rest > 0) counts.set(found.address, rest)
    else counts.delete(found.address)
  }

  /** Ends the one that has waited longest, if it has waited long enough; false where nobody has. */
  const makeRoom = (isMeant: (address: string) => boolean): boolean => {
    for (const [key, { socket, address, since }] of waiting) {
      if (!isMeant(address)) continue
      if (Date.now() - since < patienceMs) return false
      remove(key)
      socket.destroy()
      return true
    }
    return true
  }

  return {
    enter: (socket) => {
      const address = addressOf(socket)
      const key = keyOf(socket)
      const isCrowded = (counts.get(address) ?? 0) >= perAddressMax
      if (isCrowded || waiting.size >= waitingMax) {
        onTurnedAway()
        if (!makeRoom((each) => !isCrowded || each === address)) {
          socket.destroy()
          return
        }
      }
      waiting.set(key, { socket, address, since: Date.now() })
      counts.set(address, (counts.get(address) ?? 0) + 1)
      socket.once('close', () => {
        if (waiting.get(key)?.socket === socket) remove(key)
      })
    },
    leave: (socket) => remove(keyOf(socket)),
  }
}

export const addressOf = (socket: Socket): string => socket.remoteAddress ?? 'gone'

const keyOf = (socket: Socket): string => `${addressOf(socket)} ${socket.remotePort ?? 0}`
