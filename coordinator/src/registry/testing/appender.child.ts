/** A process that appends facts for ever and says which are on disk, until somebody kills it. */

import { join } from 'node:path'
import { openDatabase } from '../../storage/database.sqlite.ts'
import { createHeadFile } from '../head.fs.ts'
import { openRegistry } from '../registry.kysely.ts'
import { decidedRun } from './facts.ts'

const folder = process.argv[2] as string
const registry = await openRegistry({
  db: openDatabase(join(folder, 'registry.db')),
  head: createHeadFile(join(folder, 'registry.head.json')),
})
for (let { version } = await registry.numbers('load'); ; version += 1) {
  const events = await registry.append(decidedRun('load', version + 1), version)
  process.send?.(events.at(-1)?.seq)
}
