/** Reads the definitions of the models. */

import { readFile } from 'node:fs/promises'
import { Failure } from '@imlma/protocol/result'
import { z } from 'zod'
import { definitionsSchema, type ModelDefinition } from './definition.ts'

/** Throws `Failure` MODELS_UNREADABLE, MODELS_MALFORMED. */
export const readDefinitions = async (path: string): Promise<readonly ModelDefinition[]> => {
  const text = await readFile(path, 'utf8').catch((cause: unknown) => {
    throw new Failure('MODELS_UNREADABLE', `${path} cannot be read`, { cause, hint: 'check --models' })
  })
  let document: unknown
  try {
    document = JSON.parse(text)
  } catch (cause) {
    throw new Failure('MODELS_MALFORMED', `${path} is not JSON: ${(cause as Error).message}`, { cause })
  }
  const parsed = definitionsSchema.safeParse(document)
  if (parsed.success) return parsed.data
  throw new Failure('MODELS_MALFORMED', `${path} does not define models: ${z.prettifyError(parsed.error)}`, {
    hint: 'the fields of a definition are in coordinator/src/lifecycle/definition.ts',
  })
}
