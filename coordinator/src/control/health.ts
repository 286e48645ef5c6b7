/** What keeps the centre from its work, in words for its health: no broker, agents whose readings are not counted. */

import type { BrokerClient } from '../broker/client.ts'
import type { AgentRefusals, ReadingsReader } from '../storage/readings.ts'

/** Codes of a batch that is not, or not any more, its agent's word. */
const signatureCodes = new Set([
  'NOT_SIGNED',
  'BAD_SIGNATURE',
  'UNKNOWN_KEY',
  'EXPIRED',
  'DENIED',
  'TRUST_UNREADABLE',
])

/** An agent that is refused tries again every minute: what was longer ago is over. */
const recentMs = 3_600_000
/** Told one by one; more are a number. */
const toldMax = 10

interface Parts {
  readonly client: Pick<BrokerClient, 'connected'>
  readonly readings: Pick<ReadingsReader, 'refusals'>
  readonly now: () => number
}

export const createHealth =
  ({ client, readings, now }: Parts, brokerUrl: string) =>
  () => {
    const connected = client.connected()
    const problems = tellRefused(readings.refusals(), now())
    return {
      broker: { url: brokerUrl, connected },
      problems: connected ? problems : [`the broker ${brokerUrl} is not connected`, ...problems],
    }
  }

/** `refusals`: the latest first. */
const tellRefused = (refusals: readonly AgentRefusals[], now: number): string[] => {
  const recent = refusals.filter(({ code, lastAt }) => signatureCodes.has(code) && now - lastAt < recentMs)
  const told = recent
    .slice(0, toldMax)
    .map(
      ({ agent, code, batches, lastAt }) =>
        `readings of ${agent} are not counted: ${code}, ${batches} batches, last at ${new Date(lastAt).toISOString()}`,
    )
  return recent.length > toldMax ? [...told, `and ${recent.length - toldMax} more of the kind`] : told
}
