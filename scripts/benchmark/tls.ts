/**
 * What does a certificate cost? Mutual TLS 1.3 connects on loopback with RSA-2048 certificates of a site's authority on
 * both sides: CPU of the server, a process of its own, for each connect. And what the control centre pays to issue one.
 *
 *   node scripts/benchmark/tls.ts [--connects 400] [--rounds 5]
 *
 * The bar is 4 ms of the server's CPU a connect.
 */

import { fork } from 'node:child_process'
import { createPublicKey, generateKeyPairSync } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect } from 'node:tls'
import { parseArgs } from 'node:util'
import { createAuthority, openAuthority, openTlsMaterial } from '@imlma/coordinator/trust/pki'

const barMs = 4
const { values: options } = parseArgs({
  options: { connects: { type: 'string', default: '400' }, rounds: { type: 'string', default: '5' } },
})
const connects = Math.max(50, Number(options.connects))
const rounds = Math.max(3, Number(options.rounds))

const folder = await mkdtemp(join(tmpdir(), 'imlma-tls-'))
await createAuthority(folder, 'bench')
const authority = await openAuthority(folder)
const broker = { kind: 'broker', site: 'bench', name: 'broker', hosts: ['127.0.0.1'] } as const
const agent = { kind: 'agent', site: 'bench', name: 'gateway-1' } as const

const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2_048 })
const publicKey = createPublicKey(privateKey)
const { certPem } = authority.certify(publicKey, agent, 86_400_000)
const client = {
  ca: authority.caPem,
  cert: certPem,
  key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
}

const server = fork(new URL(import.meta.resolve('./tls/server.ts')))
server.send(await openTlsMaterial(folder, broker))
const [{ port }] = (await once(server, 'message')) as [{ port: number }]

/** Resolves when the server has believed the client and said so. */
const shakeHands = async (): Promise<void> => {
  const socket = connect({ ...client, host: '127.0.0.1', port, minVersion: 'TLSv1.3' })
  await once(socket, 'data')
  socket.destroy()
}

const cpuMs = async (): Promise<number> => {
  server.send('cpu')
  const [answer] = (await once(server, 'message')) as [{ cpuMs: number }]
  return answer.cpuMs
}

const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[values.length >> 1] ?? NaN

const perConnect: number[] = []
for (let round = 0; round <= rounds; round += 1) {
  await cpuMs()
  for (let index = 0; index < connects; index += 1) await shakeHands()
  // The first round warms up.
  if (round > 0) perConnect.push((await cpuMs()) / connects)
}
server.disconnect()

const startedAt = process.cpuUsage()
for (let index = 0; index < connects; index += 1) authority.certify(publicKey, agent, 86_400_000)
const { user, system } = process.cpuUsage(startedAt)
await rm(folder, { recursive: true })

const connectMs = median(perConnect)
console.log(
  `mutual TLS connect   ${connectMs.toFixed(2)} ms of the server's CPU, median of ${rounds} rounds of ${connects}`,
)
console.log(`                     rounds ${perConnect.map((ms) => ms.toFixed(2)).join(' ')}; bar ${barMs} ms`)
console.log(`certificate issued   ${((user + system) / 1_000 / connects).toFixed(2)} ms of CPU`)
if (connectMs > barMs) process.exitCode = 1
