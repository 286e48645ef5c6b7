/**
 * The load: agents made of mqtt.js, each with a window of batches that are not acknowledged. Started by the benchmark as
 * a process of its own; when told to stop it waits for the last acknowledgements and says how many batches it sent.
 */

import { createRequire } from 'node:module'
import { encodeCbor, type ReadingBatch } from '@imlma/protocol/wire'
import { signedBy } from './keys.crypto.ts'
import { shownBy } from './certificates.fs.ts'
import { agentOf, batchOf, shapes, site, type ShapeName } from './load.ts'

/** As much of mqtt.js as is used; it is the coordinator's dependency and not the root's. */
interface Client {
  on(event: 'message', listener: (topic: string, payload: Buffer) => void): void
  subscribeAsync(filter: string, options: object): Promise<unknown>
  publish(topic: string, payload: Uint8Array, options: object, done: () => void): void
  endAsync(): Promise<void>
}
const requireCoordinators = createRequire(new URL('../../../coordinator/package.json', import.meta.url))
const { connectAsync } = requireCoordinators('mqtt') as {
  readonly connectAsync: (url: string, options: object) => Promise<Client>
}

const [url = '', shapeName = 'backlog', publishers = '20', window = '8', signed = 'false', shown = ''] =
  process.argv.slice(2)
const shape = shapes[shapeName as ShapeName]
const run = { isStopping: false }

const encode = (publisher: number, batch: ReadingBatch): Uint8Array =>
  signed === 'true' ? signedBy(publisher, batch) : encodeCbor(batch)

const runPublisher = async (publisher: number): Promise<number> => {
  const topic = `imlma/v1/${site}/${agentOf(publisher)}`
  const client = await connectAsync(url, {
    clientId: `agent:${site}:${agentOf(publisher)}`,
    protocolVersion: 4,
    clean: true,
    ...shownBy(shown, publisher),
  })
  let sent = 0
  let acknowledged = 0
  let underway = 0
  const { promise: finished, resolve } = Promise.withResolvers<void>()
  const pump = (): void => {
    while (!run.isStopping && sent - acknowledged < Number(window)) {
      sent += 1
      underway += 1
      client.publish(
        `${topic}/readings`,
        Buffer.from(encode(publisher, batchOf(shape, publisher, sent))),
        { qos: 1 },
        () => {
          underway -= 1
        },
      )
    }
    if (run.isStopping && acknowledged === sent && underway === 0) resolve()
  }
  client.on('message', (_topic, payload) => {
    acknowledged = (JSON.parse(payload.toString()) as { seq: number }).seq
    pump()
  })
  await client.subscribeAsync(`${topic}/ack`, { qos: 1 })
  pump()
  await finished
  await client.endAsync()
  return sent
}

process.once('message', () => {
  run.isStopping = true
})
const batches = await Promise.all(Array.from({ length: Number(publishers) }, (_, i) => runPublisher(i)))
process.send?.({ batches })
process.disconnect()
