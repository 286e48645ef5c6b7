/** Which model is meant: the one that is named, or the only one there is. */

import { accept, refuse, type Result } from '@imlma/protocol/result'
import type { ApiClient } from './client.http.ts'

export const chooseModel = async (
  client: ApiClient,
  named: string | boolean | undefined,
): Promise<Result<string>> => {
  if (typeof named === 'string') return accept(named)
  const models = (await client.models()).map(({ model }) => model)
  const [only] = models
  if (only === undefined)
    return refuse('UNKNOWN_MODEL', 'there is no model', 'define one with --models at the start')
  if (models.length === 1) return accept(only)
  return refuse('WHICH_MODEL', `there are ${models.length} models`, `name one of: ${models.join(', ')}`)
}

/** A version's number, also in the form `v3`. */
export const parseVersion = (text: string | undefined): Result<number> => {
  const number = Number(/^v?([1-9]\d{0,8})$/.exec(text ?? '')?.[1])
  return Number.isInteger(number)
    ? accept(number)
    : refuse('USAGE', `${text ?? 'nothing'} is no version`, 'a version is a number from 1 on')
}
