/**
 * Enrolment as a part of the control centre: the gateway listener with the keys that it signs with, its address for the
 * command line, the record of denials wherever they came from, and a certificate of its own that stays fresh.
 */

import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { writeDurably } from '@imlma/protocol/node'
import { Failure } from '@imlma/protocol/result'
import { certificationPayloadType, sealEnvelope } from '@imlma/protocol/trust'
import { toUrlHost } from '../public-hosts.os.ts'
import type { Registry } from '../registry/registry.ts'
import type { ArtifactStore } from '../storage/artifacts.ts'
import type { StateStore } from '../storage/states.ts'
import type { Trust } from '../trust/establish.fs.ts'
import { openAuthority } from '../trust/pki/authority.fs.ts'
import { readDenials } from '../trust/pki/denied.fs.ts'
import { createEnrolmentDesk, type SigningKeyFacts } from '../trust/pki/enrolment.fs.ts'
import { startGateway } from '../trust/pki/gateway.http.ts'
import { gatewayAddressPathOf } from '../trust/pki/gateway-address.fs.ts'
import { openTlsMaterial } from '../trust/pki/material.fs.ts'
import { createTokens } from '../trust/pki/tokens.fs.ts'
import { every } from './every.timer.ts'

export interface EnrolmentOptions {
  /** `<dataDir>/trust`. */
  readonly folder: string
  readonly site: string
  readonly host: string
  readonly port: number
  /** Names and addresses in the listener's certificate; the first is told to gateways. */
  readonly publicHosts: readonly string[]
  /** Where agents with a certificate find the broker. */
  readonly agentsBrokerUrl: string
}

interface EnrolmentParts {
  readonly trust: Pick<Trust, 'chain' | 'agent'>
  readonly registry: Pick<Registry, 'append'>
  readonly states: StateStore
  readonly artifacts: Pick<ArtifactStore, 'path'>
  /** Signed versions alone leave the house. */
  readonly isServable: (sha256: string) => boolean
  readonly now: () => number
  readonly onFailure: (error: unknown) => void
}

/** A denial reaches the registry this late at most; the refusal itself does not wait for it. */
const lookMs = 1_000
const refreshMs = 86_400_000

/** Undefined for a site without an authority. Throws `Failure` WRONG_SITE, and those of `openAuthority` and `startGateway`. */
export const openEnrolment = async (
  { trust, registry, states, artifacts, isServable, now, onFailure }: EnrolmentParts,
  options: EnrolmentOptions | undefined,
): Promise<{ readonly url: string; readonly stop: () => Promise<void> } | undefined> => {
  if (options === undefined) return undefined
  const { folder, site, host, port, publicHosts, agentsBrokerUrl } = options
  const pki = join(folder, 'pki')
  const authority = await openAuthority(pki, { now })
  if (authority.site !== site) {
    throw new Failure(
      'WRONG_SITE',
      `the certificate authority in ${pki} is of site ${authority.site}, not ${site}`,
      {
        hint: `start with --site ${authority.site}, or with a data directory of its own`,
      },
    )
  }
  const identity = { kind: 'gateway', site: authority.site, name: 'gateway', hosts: publicHosts } as const
  const desk = createEnrolmentDesk(
    {
      authority,
      tokens: createTokens(pki, now),
      certifySigningKey: (facts) => certify(trust, facts),
      roots: trust.chain.envelopes,
      record: registry.append,
      now,
    },
    { folder, brokerUrl: agentsBrokerUrl },
  )
  const gateway = await startGateway(
    {
      desk,
      artifact: async (sha256) => {
        const path = isServable(sha256) ? await artifacts.path(sha256) : undefined
        return path === undefined ? undefined : { path, bytes: (await stat(path)).size }
      },
      now,
      onFailure,
    },
    { host, port, tls: await openTlsMaterial(pki, identity, { now }) },
  )
  const [told = host] = publicHosts
  const url = `https://${toUrlHost(told)}:${gateway.port}`
  await writeDurably(gatewayAddressPathOf(pki), `${JSON.stringify({ v: 1, url })}\n`)

  const recordDenials = await createDenialRecord({ registry, states, now }, pki, authority.denied)
  const endLooks = every(lookMs, recordDenials, onFailure)
  const endRefresh = every(
    refreshMs,
    async () => gateway.renewTls(await openTlsMaterial(pki, identity, { now })),
    onFailure,
  )
  return {
    url,
    stop: async () => {
      await Promise.all([endLooks(), endRefresh()])
      await gateway.close()
    },
  }
}

const certify = ({ agent }: Pick<Trust, 'agent'>, facts: SigningKeyFacts) => {
  if (agent !== undefined) return sealEnvelope(certificationPayloadType, { v: 1, ...facts }, [agent])
  throw new Failure(
    'AGENT_KEY_MISSING',
    'the trust root names no key that certifies agents, or it is not here',
    {
      hint: 'add one to the trust root with imlma root add, role agent, or restore trust/keys/agent.json',
    },
  )
}

const recordedSchema = z.object({ serials: z.array(z.string()) })

/** Each denial is in the registry once, and once more at most where a crash came between. */
const createDenialRecord = async (
  { registry, states, now }: Pick<EnrolmentParts, 'registry' | 'states' | 'now'>,
  pki: string,
  denied: () => ReadonlySet<string>,
): Promise<() => Promise<void>> => {
  const recorded = new Set((await states.load('pki', 'denials', recordedSchema))?.serials)
  return async () => {
    if ([...denied()].every((serial) => recorded.has(serial))) return
    for (const { serial, agent, reason, at } of await readDenials(pki)) {
      if (recorded.has(serial)) continue
      await registry.append([{ kind: 'certificate-denied', agent, serial, reason }], at)
      recorded.add(serial)
    }
    await states.save('pki', 'denials', { serials: [...recorded] }, now())
  }
}
