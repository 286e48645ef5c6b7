/**
 * Many agents in one process, for tests of a fleet that is larger than this machine: each is put together as in a process
 * of its own, with its own files, connection, models and local API. What they share is the engine that runs them.
 */

import { once } from 'node:events'
import { defaultConfiguration, type Configuration } from '../configuration.ts'
import { startAgent } from '../agent.process.ts'
import { createLog } from '../log.pino.ts'

interface Fleet {
  readonly names: readonly string[]
  readonly site: string
  readonly broker: string
  readonly root: string
  /** Each agent has a folder of its name in it. */
  readonly folder: string
  /** The same for all, but for the meters: `{name}-1` and so on. */
  readonly feed: { readonly kind: 'simulated'; readonly name: string; readonly meters: number }
}

const { names, site, broker, root, folder, feed } = JSON.parse(process.argv[2] ?? '') as Fleet
const stops: (() => Promise<void>)[] = []
for (const name of names) {
  const meters = Array.from({ length: feed.meters }, (_, i) => `${name}-${i + 1}`)
  // A worker for each of a hundred models is more than this machine has memory for.
  const inference = { ...defaultConfiguration.inference, isolation: 'none' } as const
  const configuration: Configuration = { ...defaultConfiguration, inference, sources: [{ ...feed, meters }] }
  const where = { dataDir: `${folder}/${name}`, host: '127.0.0.1', port: 0 }
  const agent = await startAgent({ name, site, broker, root, ...where, log: 'error' }, configuration, {
    log: createLog(name, 'error'),
    agentVersion: 'test',
    onSpent: () => process.exit(1),
  })
  stops.push(agent.stop)
}
process.send?.({ event: 'up' })
await Promise.race([once(process, 'SIGTERM'), once(process, 'disconnect')])
await Promise.all(stops.map((stop) => stop()))
process.exit(0)
