/**
 * A technician's signed order on its way from the API to the agents: form, signatures and address are held against what
 * the control centre knows, so that a mistake is told at once; then the fact is recorded and the very bytes are published.
 * The agents check everything again: nothing that passes here is believed for having passed here.
 */

import { accept, refuse, type Result } from '@imlma/protocol/result'
import {
  groupThresholdDefault,
  openEnvelope,
  readSignatures,
  type TrustRoot,
  type VerifySignature,
} from '@imlma/protocol/trust'
import { commandPayloadType, commandSchema, encodeJson, groupAgent, type Command } from '@imlma/protocol/wire'
import type { Control } from '../api/control.ts'
import type { BrokerClient } from '../broker/client.ts'
import type { Registry } from '../registry/registry.ts'

export interface PassOnParts {
  readonly root: () => TrustRoot
  readonly verify: VerifySignature
  readonly client: Pick<BrokerClient, 'publish'>
  readonly registry: Pick<Registry, 'append'>
  readonly now: () => number
}

export const createPassOn =
  (
    { root, verify, client, registry, now }: PassOnParts,
    { site }: { readonly site: string },
  ): Control['passOnCommand'] =>
  async (envelope, by) => {
    const terms = {
      payloadType: commandPayloadType,
      schema: commandSchema,
      root: root(),
      role: 'technician',
      verify,
    } as const
    const opened = openEnvelope(envelope, terms)
    if (!opened.ok) return opened
    const command = opened.value
    const { keyids, persons } = readSignatures(envelope, terms)
    const fits = checkFit(command, persons.length, { root: terms.root, site, now: now() })
    if (!fits.ok) return fits
    const { commandId, model, operation } = command
    const agents: readonly string[] = command.agents
    await registry.append(
      [
        {
          kind: 'command-passed-on',
          model,
          commandId,
          operation,
          agents: [...agents],
          keyids: [...keyids],
          by,
        },
      ],
      now(),
    )
    const [only] = agents
    const agent = agents.length === 1 && only !== undefined && only !== '*' ? only : groupAgent
    await client.publish('command', { site, agent }, encodeJson(envelope), commandId)
    return accept({ commandId, agents })
  }

const checkFit = (
  { site, agents, expiresAt, notBefore }: Command,
  persons: number,
  ours: { readonly root: TrustRoot; readonly site: string; readonly now: number },
): Result<void, 'WRONG_TARGET' | 'EXPIRED' | 'NOT_YET_VALID' | 'NOT_AUTHORISED'> => {
  if (site !== ours.site) return refuse('WRONG_TARGET', `signed for the site ${site}, this is ${ours.site}`)
  const clocks = 'compare the clock of the machine that signed with that of the control centre'
  if (ours.now >= expiresAt) return refuse('EXPIRED', 'the order has expired', clocks)
  if (ours.now < notBefore) return refuse('NOT_YET_VALID', 'the order is not valid yet', clocks)
  const names: readonly string[] = agents
  const needed = ours.root.roles.technician.groupThreshold ?? groupThresholdDefault
  if ((names.includes('*') || new Set(names).size > 1) && persons < needed) {
    return refuse(
      'NOT_AUTHORISED',
      `a command to more than one agent needs ${needed} people, ${persons} signed it`,
      'have a second technician approve it (imlma approve), or command one agent at a time',
    )
  }
  return accept(undefined)
}
