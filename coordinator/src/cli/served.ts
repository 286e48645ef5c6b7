/** Which versions have these bytes, or are served by this agent now? */

import { accept, refuse, type Result } from '@imlma/protocol/result'
import type { ApiClient } from './client.http.ts'

export interface Served {
  readonly model: string
  readonly version: number
}

/** Refuses UNKNOWN_DIGEST: bytes that were never made or registered here. */
export const findByDigest = async (
  client: Pick<ApiClient, 'models' | 'versions'>,
  sha256: string,
): Promise<Result<readonly Served[]>> => {
  if (!/^[0-9a-f]{64}$/i.test(sha256)) {
    return refuse(
      'USAGE',
      `${sha256} is no SHA-256`,
      'a digest is 64 hexadecimal digits, as imlma agents shows it',
    )
  }
  const found: Served[] = []
  for (const { model } of await client.models()) {
    for (const { version, artifact } of await client.versions(model)) {
      if (artifact.sha256 === sha256.toLowerCase()) found.push({ model, version })
    }
  }
  if (found.length > 0) return accept(found)
  return refuse(
    'UNKNOWN_DIGEST',
    `no version here has the digest ${sha256}`,
    'an agent that serves it was given it by somebody else: look at its log (imlma-agent audit show)',
  )
}

/** By the digest that the agent says it serves, never by the version's number. Refuses UNKNOWN_AGENT, NOTHING_SERVED. */
export const findByAgent = async (
  client: Pick<ApiClient, 'agents' | 'models' | 'versions'>,
  name: string,
): Promise<Result<readonly Served[]>> => {
  const agent = (await client.agents()).find((each) => each.agent === name)
  if (agent === undefined)
    return refuse('UNKNOWN_AGENT', `there is no agent ${name}`, 'imlma agents lists them')
  const found: Served[] = []
  for (const { model, sha256 } of agent.models) {
    if (sha256 === null) continue
    const versions = await findByDigest(client, sha256)
    if (!versions.ok) return versions
    const own = versions.value.find((each) => each.model === model)
    if (own === undefined) {
      return refuse('WRONG_MODEL', `${name} serves ${sha256} as ${model}, which it is not`, 'look at its log')
    }
    found.push(own)
  }
  if (found.length > 0) return accept(found)
  return refuse('NOTHING_SERVED', `${name} serves no model`, 'imlma agents shows what it is doing')
}
