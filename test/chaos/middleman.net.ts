/** A man in the middle of one agent's connection: passes everything on, and changes what he was told to look for. */

import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { crc32 } from '@imlma/protocol/node'

export interface Middleman {
  readonly url: string
  /** Changes one byte wherever these bytes pass towards the agent, and mends the checksum that goes with them. */
  readonly change: (artifact: Uint8Array) => void
  /** How often he did. */
  readonly changed: () => number
  readonly close: () => Promise<void>
}

/** At `ownPort` where somebody already looks for him there. */
export const startMiddleman = async (brokerUrl: string, ownPort = 0): Promise<Middleman> => {
  const { hostname, port } = new URL(brokerUrl)
  const sockets = new Set<Socket>()
  let wanted: Buffer | undefined
  let changed = 0

  /** The same length, so that no packet's frame has to be mended. */
  const tamper = (packet: Buffer): Buffer => {
    const at = wanted === undefined ? -1 : packet.indexOf(wanted)
    if (wanted === undefined || at < 0) return packet
    const forged = Buffer.from(packet)
    const middle = at + (wanted.length >> 1)
    forged[middle] = (forged[middle] ?? 0) ^ 1
    const checksum = Buffer.alloc(4)
    checksum.writeUInt32BE(crc32(wanted))
    const place = packet.indexOf(checksum, at + wanted.length)
    if (place < 0) return packet
    forged.writeUInt32BE(crc32(forged.subarray(at, at + wanted.length)), place)
    changed += 1
    return forged
  }

  const server = createServer((agent) => {
    const broker = connect(Number(port), hostname)
    let held = Buffer.alloc(0)
    broker.on('data', (bytes) => {
      if (wanted === undefined) return void agent.write(bytes)
      // An artifact comes in several pieces of TCP: they are held until it is whole.
      held = Buffer.concat([held, bytes])
      const forged = tamper(held)
      const isStarting = forged === held && held.includes(wanted.subarray(0, 16))
      if (isStarting && held.length < wanted.length * 4) return
      agent.write(forged)
      held = Buffer.alloc(0)
    })
    agent.on('data', (bytes) => broker.write(bytes))
    for (const [one, other] of [
      [agent, broker],
      [broker, agent],
    ] as const) {
      sockets.add(one)
      one.on('error', () => undefined)
      one.on('close', () => {
        sockets.delete(one)
        other.destroy()
      })
    }
  })
  server.listen(ownPort, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `mqtt://127.0.0.1:${(server.address() as AddressInfo).port}`,
    change: (artifact) => {
      wanted = Buffer.from(artifact)
    },
    changed: () => changed,
    close: async () => {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}
