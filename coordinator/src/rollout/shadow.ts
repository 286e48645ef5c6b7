/** Which agents run a challenger in shadow, and beside what. */

import type { ReportedModel } from '@imlma/protocol/wire'
import type { AgentRecord } from '../fleet/fleet.ts'
import type { AssignedVersion, Assignment, SignedVersion } from './assigned.ts'

/** A version signed for the shadow. */
export interface AssignedShadow extends SignedVersion {
  /** The only version that it is compared with. */
  readonly champion: number
  /** Share of the agents that run it, 0 to 1. */
  readonly share: number
}

/** What an agent says that it understands shadows with. */
const capability = 'shadow'

/** The shadows that this agent may run: it must be able to, and be among the share. */
export const shadowsFor = (
  { agent, presence }: Pick<AgentRecord, 'agent' | 'presence'>,
  shadows: ReadonlyMap<string, AssignedShadow>,
  told: Assignment | undefined,
): Readonly<Record<string, AssignedShadow>> =>
  Object.fromEntries(
    [...shadows].filter(([model, shadow]) => {
      if (shareOf(`${model} ${shadow.version} ${agent}`) >= shadow.share) return false
      // Of an agent that is away nobody knows what it can: what it was told stands, so that it is not told twice.
      return presence?.state === 'online'
        ? presence.capabilities.includes(capability)
        : told?.models[model]?.shadow?.envelopeSha256 === shadow.envelopeSha256
    }),
  )

/** The assigned version with the shadow that belongs beside it, and with no other. */
export const withShadow = (
  told: AssignedVersion,
  shadow: AssignedShadow | undefined,
  reported: ReportedModel | undefined,
): AssignedVersion => {
  const { shadow: _, ...assigned } = told
  // A pinned agent may serve something else than it was told: then there is nothing to compare.
  const serves = reported?.pinned === true ? reported.active?.version : assigned.version
  if (shadow === undefined || serves !== shadow.champion) return assigned
  const { version, envelopeSha256, artifactSha256 } = shadow
  return { ...assigned, shadow: { version, envelopeSha256, artifactSha256 } }
}

/** A number from 0 to below 1 that a name always has: FNV-1a, 32 bits. */
const shareOf = (name: string): number => {
  let hash = 0x81_1c_9d_c5
  for (const character of name) hash = Math.imul(hash ^ (character.codePointAt(0) ?? 0), 0x01_00_01_93)
  // The last characters alone would hardly move the upper bits: mixed once more (murmur3's final step).
  hash = Math.imul(hash ^ (hash >>> 16), 0x85_eb_ca_6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2_b2_ae_35)
  return ((hash ^ (hash >>> 16)) >>> 0) / 2 ** 32
}
