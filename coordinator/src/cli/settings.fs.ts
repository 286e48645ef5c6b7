/**
 * Where the control centre is: options before environment before what `npm start` has left in `.imlma/current.json`
 * before the usual ports.
 */

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import type { Settings } from './command.ts'

export interface Sources {
  /** Folder in which `.imlma/current.json` is looked for. */
  readonly folder: string
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly options: Readonly<Record<string, string | boolean | undefined>>
}

const currentSchema = z
  .object({ dataDir: z.string(), url: z.string(), broker: z.string(), site: z.string() })
  .partial()

export const readSettings = async ({ folder, environment, options }: Sources): Promise<Settings> => {
  const current = await readCurrent(join(folder, '.imlma', 'current.json'))
  const choose = (option: string, variable: string, left: string | undefined, usual: string): string => {
    const given = options[option]
    return typeof given === 'string' ? given : (environment[variable] ?? left ?? usual)
  }
  return {
    url: choose('url', 'IMLMA_URL', current.url, 'http://127.0.0.1:4600'),
    broker: choose('broker', 'IMLMA_BROKER', current.broker, 'mqtt://127.0.0.1:1883'),
    dataDir: choose('dataDir', 'IMLMA_DATA_DIR', current.dataDir, '.imlma'),
    site: choose('site', 'IMLMA_SITE', current.site, 'demo'),
    urlGiven: typeof options.url === 'string',
  }
}

/** Empty where the file is missing or is none of ours: it is a convenience, not a source of truth. */
const readCurrent = async (path: string): Promise<z.infer<typeof currentSchema>> => {
  try {
    return currentSchema.parse(JSON.parse(await readFile(path, 'utf8')))
  } catch {
    return {}
  }
}
