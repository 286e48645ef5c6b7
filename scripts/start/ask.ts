/** Asks the control centre of a data directory, with the token that it has left there for whoever may read it. */

import { readFile } from 'node:fs/promises'

export interface Ask {
  /** `path` below `/api/v1/`; with a body it is a POST. The answer may be a stream. */
  (path: string, request?: { readonly body?: object; readonly signal?: AbortSignal }): Promise<Response>
}

const timeoutMs = 10_000

export const createAsk =
  (url: string, dataDir: string): Ask =>
  async (path, { body, signal = AbortSignal.timeout(timeoutMs) } = {}) => {
    // Read each time: every start of the control centre makes another one.
    const token = (await readFile(`${dataDir}/operator-token`, 'utf8')).trim()
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
    const post = body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) }
    return fetch(`${url}/api/v1/${path}`, { headers, signal, ...post })
  }

/** The document that is answered; throws with what is said where it fails. */
export const askFor = async <View>(ask: Ask, path: string, body?: object): Promise<View> => {
  const response = await ask(path, body === undefined ? {} : { body })
  if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`)
  return (await response.json()) as View
}
