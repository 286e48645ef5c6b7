/**
 * Where the control centre is: options before environment before what `npm start` has left in `.imlma/current.json`
 * before the usual ports.
 */

import { readFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { z } from 'zod'
import { layoutOf } from '../layout.ts'
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

export interface Proof {
  readonly token: string | undefined
  /** For users and tokens. */
  readonly administratorToken: string | undefined
}

/**
 * What proves who asks: the token that was given, or the ones that the control centre has left in its data directory.
 * The latter are sent to this machine alone, and to the control centre of which `npm start` has told.
 */
export const readProof = async (
  settings: Settings,
  { folder, environment, options }: Sources,
): Promise<Proof> => {
  const given = typeof options.token === 'string' ? options.token : environment['IMLMA_TOKEN']
  if (given !== undefined && given !== '') return { token: given, administratorToken: given }
  const current = await readCurrent(join(folder, '.imlma', 'current.json'))
  const isOurs = isLocal(settings.url) || settings.url === current.url
  if (!isOurs) return { token: undefined, administratorToken: undefined }
  const { operatorToken, administratorToken } = layoutOf(resolve(folder, settings.dataDir))
  const [token, administrator] = await Promise.all([operatorToken, administratorToken].map(readToken))
  return { token, administratorToken: administrator }
}

/** Undefined where there is none, or where it may not be read. */
const readToken = async (path: string): Promise<string | undefined> => {
  const text = await readFile(path, 'utf8').catch(() => '')
  return /^[\w-]{1,200}$/.test(text.trim()) ? text.trim() : undefined
}

const isLocal = (url: string): boolean =>
  URL.canParse(url) && ['127.0.0.1', 'localhost', '[::1]'].includes(new URL(url).hostname)

/** Empty where the file is missing or is none of ours: it is a convenience, not a source of truth. */
const readCurrent = async (path: string): Promise<z.infer<typeof currentSchema>> => {
  try {
    return currentSchema.parse(JSON.parse(await readFile(path, 'utf8')))
  } catch {
    return {}
  }
}
