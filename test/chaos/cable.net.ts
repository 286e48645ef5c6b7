/** The line between an agent and its broker, which can be cut. What is encrypted stays so: bytes pass as they come. */

import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'

export interface Cable {
  readonly port: number
  /** `reset`: connections end and none begins. `silence`: they stand, and nothing passes. */
  readonly cut: (how: 'reset' | 'silence') => void
  /** What was held back passes now. */
  readonly mend: () => void
  readonly close: () => Promise<void>
}

export const layCable = async (brokerPort: number): Promise<Cable> => {
  const sockets = new Set<Socket>()
  let state: 'whole' | 'reset' | 'silence' = 'whole'

  const join = (from: Socket, to: Socket): void => {
    sockets.add(from)
    from.on('data', (bytes) => {
      if (!to.write(bytes)) from.pause()
    })
    to.on('drain', () => {
      if (state !== 'silence') from.resume()
    })
    from.on('error', () => undefined)
    from.on('close', () => {
      sockets.delete(from)
      to.destroy()
    })
    if (state === 'silence') from.pause()
  }
  const server = createServer((agent) => {
    if (state === 'reset') return void agent.destroy()
    const broker = connect(brokerPort, '127.0.0.1')
    join(agent, broker)
    join(broker, agent)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    cut: (how) => {
      state = how
      for (const socket of sockets) {
        if (how === 'reset') socket.destroy()
        else socket.pause()
      }
    },
    mend: () => {
      state = 'whole'
      for (const socket of sockets) socket.resume()
    },
    close: async () => {
      server.close()
      for (const socket of sockets) socket.destroy()
      await once(server, 'close')
    },
  }
}
