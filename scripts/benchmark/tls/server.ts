/** The measured side of a mutual-TLS connect: takes connections, answers each with one byte, and tells its own CPU time. */

import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { createServer } from 'node:tls'
import type { TlsMaterial } from '@imlma/coordinator/trust/pki'

const [material] = (await once(process, 'message')) as [TlsMaterial]
const listener = createServer(
  { ...material, requestCert: true, rejectUnauthorized: true, minVersion: 'TLSv1.3' },
  (socket) => {
    socket.on('error', () => undefined)
    if (socket.authorized && socket.getPeerX509Certificate() !== undefined) socket.end('.')
  },
).listen(0, '127.0.0.1')
await once(listener, 'listening')
process.send?.({ port: (listener.address() as AddressInfo).port })

/** Each message is answered with the CPU time since the one before, in milliseconds. */
let before = process.cpuUsage()
process.on('message', () => {
  const { user, system } = process.cpuUsage(before)
  before = process.cpuUsage()
  process.send?.({ cpuMs: (user + system) / 1_000 })
})
process.once('disconnect', () => process.exit())
