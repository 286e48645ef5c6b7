/**
 * The control part as a process whose learning is another one: `prepared` takes versions that were never trained,
 * `tampered` changes a byte of every snapshot after it was frozen. The rest of its command line is that of `control`.
 */

import { once } from 'node:events'
import { chmod, readFile, writeFile } from 'node:fs/promises'
import { layoutOf } from '../../layout.ts'
import { readDefinitions } from '../../lifecycle/definition.fs.ts'
import { createLog } from '../../log.pino.ts'
import { parseSettings } from '../../settings.commander.ts'
import type { ArtifactStore } from '../../storage/artifacts.ts'
import { openReadingsReader } from '../../storage/readings.sqlite.ts'
import { startCentre, type CentreParts, type Learning } from '../centre.process.ts'
import { createPreparedLearning } from './prepared-versions.fs.ts'

const changeByte = async (path: string): Promise<void> => {
  const bytes = await readFile(path)
  const middle = bytes.length >> 1
  bytes[middle] = (bytes[middle] ?? 0) ^ 1
  await chmod(path, 0o644)
  await writeFile(path, bytes)
}

const tamper = (ours: Learning, artifacts: Pick<ArtifactStore, 'path'>): Learning => ({
  ...ours,
  freeze: async (definition) => {
    const frozen = await ours.freeze(definition)
    if (frozen.ok) await changeByte((await artifacts.path(frozen.value.sha256)) ?? '')
    return frozen
  },
})

const ways: Readonly<Record<string, Required<CentreParts>['learning']>> = {
  prepared: (_ours, artifacts) => createPreparedLearning(artifacts),
  tampered: tamper,
}

const [how = '', ...args] = process.argv.slice(2)
const learning = ways[how]
if (learning === undefined) throw new Error(`${how} is no way to learn`)
const settings = parseSettings([process.execPath, 'control', 'control', ...args], 'test')
const { dataDir, site, host, port, broker = '', models = '' } = settings
const layout = layoutOf(dataDir)
const readings = openReadingsReader(layout.readings)
const centre = await startCentre(
  { readings, log: createLog('control', settings.log), learning },
  {
    layout,
    site,
    host,
    port,
    brokerUrl: broker,
    definitions: await readDefinitions(models),
    version: 'test',
  },
)
process.send?.({ event: 'up', api: centre.url, broker })
await Promise.race([once(process, 'SIGTERM'), once(process, 'disconnect')])
await centre.stop()
readings.close()
if (process.connected) process.disconnect()
