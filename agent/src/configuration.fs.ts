/** The configuration as it lies on disk. */

import { readFile } from 'node:fs/promises'
import { Failure } from '@imlma/protocol/result'
import { defaultConfiguration, parseConfiguration, type Configuration } from './configuration.ts'

/** Without a file, the defaults. Throws `Failure` BAD_CONFIGURATION. */
export const readConfiguration = async (path: string | undefined): Promise<Configuration> => {
  if (path === undefined) return defaultConfiguration
  const text = await readFile(path, 'utf8').catch((cause: unknown) => {
    throw new Failure('BAD_CONFIGURATION', `${path} cannot be read`, { cause, hint: 'check --config' })
  })
  const parsed = parseConfiguration(text)
  if (parsed.ok) return parsed.value
  const { code, message, hint } = parsed.refusal
  throw new Failure(code, message, hint === undefined ? {} : { hint })
}

/** What `imlma-agent check` answers. Throws `Failure` BAD_CONFIGURATION with every problem. */
export const checkConfiguration = async (path: string): Promise<string> => {
  const { sources } = await readConfiguration(path)
  const names = sources.map(({ name, kind }) => `${name} (${kind})`)
  return `${path} is right; ${names.length === 0 ? 'no sources' : `sources: ${names.join(', ')}`}`
}
