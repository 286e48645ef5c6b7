/** Where things are: what people run, and a folder for each story that nobody else uses. */

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const root = new URL('../../', import.meta.url)

export const scripts = {
  start: new URL('scripts/start.ts', root),
  chaos: new URL('scripts/chaos.ts', root),
  imlma: new URL('coordinator/src/cli/main.ts', root),
  coordinator: new URL('coordinator/src/main.ts', root),
  agent: new URL('agent/bin/imlma-agent.mjs', root),
} as const

/** The folder of the public files of readings: `IMLMA_DATA`, or the one beside the project. */
export const dataFolder = (): URL =>
  new URL(
    process.env['IMLMA_DATA'] === undefined ? '../shared/data/' : `file://${process.env['IMLMA_DATA']}/`,
    root,
  )

export interface Folder {
  readonly path: string
  readonly remove: () => Promise<void>
}

export const createFolder = async (story: string): Promise<Folder> => {
  const path = await mkdtemp(join(tmpdir(), `imlma-${story}-`))
  return { path, remove: () => rm(path, { recursive: true, force: true, maxRetries: 3 }) }
}
