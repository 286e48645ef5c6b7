/**
 * The signing keys that are certified as an agent's, from `agents/<site>.<agent>/<keyid>.json`, which the control centre
 * writes at enrolment and at renewals; this may be another process. An agent has two while it changes its key.
 *
 * What a stranger can cause is one look at one folder a second and agent, whatever key ids it makes up: all keys of an
 * agent are read together, and nothing is remembered of keys that are not there.
 */

import { createPublicKey, verify as verifyBytes, type KeyObject } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { toKeyId, verifySignature } from '@imlma/protocol/node'
import {
  fromBase64,
  openCertification,
  openEnvelope,
  parseEnvelope,
  rootPayloadType,
  rootSchema,
  type Certification,
  type TrustRoot,
  type VerifyBytes,
} from '@imlma/protocol/trust'
import type { Address } from '@imlma/protocol/wire'
import { rootsFolderOf } from './establish.fs.ts'
import { openRootChain, type RootChain } from './roots.fs.ts'

/** Renewals, denials of a role's key and new roots count after so long at the latest. */
const freshMs = 60_000
/** An unknown key may just have been certified: it is looked for again after so long. */
const lookAgainMs = 1_000
/** Keys of one agent that are read: more than it changes in years. */
const keysMax = 256
/** Agents whose keys are kept in memory, about 1 kB each; beyond, the one that was read longest ago goes. */
const agentsMax = 20_000

/** SubjectPublicKeyInfo of an Ed25519 key up to the raw bytes (RFC 8410). */
const publicPrefix = Buffer.from('302a300506032b6570032100', 'hex')

export interface AgentKey {
  readonly key: KeyObject
  readonly certification: Certification
}

export interface AgentKeys {
  /**
   * Undefined for a key that is not certified as this agent's. A certification that does not hold (any more) is looked for
   * again like an unknown key: the same key may just have been certified anew. Rejects with `Failure` TRUST_BROKEN, TRUST_MISSING.
   */
  readonly find: (
    agent: Address,
    keyid: string,
    holds: (certification: Certification) => boolean,
  ) => Promise<AgentKey | undefined>
}

interface Entry {
  readonly readAt: number
  readonly keys: ReadonlyMap<string, AgentKey>
}

/** `folder` is `<dataDir>/trust`. `now` may be a monotonic clock. */
export const openAgentKeys = (folder: string, now: () => number): AgentKeys => {
  const entries = new Map<string, Entry>()
  const underway = new Map<string, Promise<Entry>>()
  let chain: RootChain | undefined
  /** Of the roots, which all agents' keys hang on. */
  let failure: { readonly at: number; readonly cause: unknown } | undefined

  /** The root in force, with those that another process has added. */
  const rootNow = async (): Promise<TrustRoot> => {
    if (failure !== undefined && now() - failure.at < lookAgainMs) throw failure.cause
    try {
      if (chain === undefined) chain = await openRootChain(rootsFolderOf(folder))
      else await chain.refresh()
    } catch (cause) {
      failure = { at: now(), cause }
      throw cause
    }
    failure = undefined
    return chain.current()
  }

  const readAgain = async (name: string, agent: Address): Promise<Entry> => {
    const readAt = now()
    const certifications = await readCertifications(folder, agent, await rootNow())
    const keys = new Map(certifications.map((one) => [one.keyid, { key: toKey(one), certification: one }]))
    const entry = { readAt, keys }
    entries.delete(name)
    entries.set(name, entry)
    if (entries.size > agentsMax) entries.delete(entries.keys().next().value!)
    return entry
  }

  /** Many batches may wait for one reading. */
  const readOnce = (name: string, agent: Address): Promise<Entry> => {
    const reading = underway.get(name) ?? readAgain(name, agent).finally(() => underway.delete(name))
    underway.set(name, reading)
    return reading
  }

  return {
    find: async (agent, keyid, holds) => {
      const name = `${agent.site}.${agent.agent}`
      const entry = entries.get(name)
      const known = entry?.keys.get(keyid)
      const validMs = known !== undefined && holds(known.certification) ? freshMs : lookAgainMs
      if (entry !== undefined && now() - entry.readAt < validMs) return known
      return (await readOnce(name, agent)).keys.get(keyid)
    },
  }
}

/** What the root in force says of an agent's keys; files that are none of ours or that it does not sign count for nothing. */
const readCertifications = async (
  folder: string,
  { site, agent }: Address,
  root: TrustRoot,
): Promise<readonly Certification[]> => {
  const certified = join(folder, 'agents', `${site}.${agent}`)
  const names = await readdir(certified).catch(() => [])
  const found: Certification[] = []
  for (const name of names.filter((each) => /^[0-9a-f]{64}\.json$/.test(each)).slice(0, keysMax)) {
    const envelope = parseEnvelope(await readFile(join(certified, name)).catch(() => new Uint8Array()))
    if (!envelope.ok) continue
    const opened = openCertification(envelope.value, { root, verify: verifySignature, site, agent })
    if (opened.ok && toKeyId(fromBase64(opened.value.public)) === opened.value.keyid) found.push(opened.value)
  }
  return found
}

const toKey = (certified: Certification): KeyObject =>
  createPublicKey({
    key: Buffer.concat([publicPrefix, fromBase64(certified.public)]),
    format: 'der',
    type: 'spki',
  })

/**
 * Who verifies what these agents signed, for those who look back: keys that any root of the chain has certified, whether the
 * certification has ended or not. Throws `Failure` TRUST_BROKEN, TRUST_MISSING.
 */
export const openVerifiers = async (
  folder: string,
  site: string,
  agents: readonly string[],
): Promise<(agent: string, keyid: string) => VerifyBytes | undefined> => {
  const chain = await openRootChain(rootsFolderOf(folder))
  const roots = chain.envelopes().flatMap((envelope) => {
    const opened = openEnvelope(envelope, { payloadType: rootPayloadType, schema: rootSchema })
    return opened.ok ? [opened.value] : []
  })
  const keys = new Map<string, KeyObject>()
  for (const agent of agents) {
    for (const root of roots) {
      const certified = await readCertifications(folder, { site, agent }, root)
      for (const one of certified) keys.set(`${agent}/${one.keyid}`, toKey(one))
    }
  }
  return (agent, keyid) => {
    const key = keys.get(`${agent}/${keyid}`)
    return key && ((bytes, signature) => verifyBytes(null, bytes, key, signature))
  }
}
