/**
 * A site as agents meet it: trust root, authority, tokens and the real gateway listener on a free port of loopback, with a
 * clock that a test moves and an answer that it may change. For tests.
 */

import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sha256 } from '@imlma/protocol/node'
import type { Result } from '@imlma/protocol/result'
import {
  canonicalJson,
  encodeToken,
  sealEnvelope,
  certificationPayloadType,
  type Enrolment,
  type EnrolmentToken,
} from '@imlma/protocol/trust'
import { establishTrust } from '../../establish.fs.ts'
import { createAuthority, openAuthority, type Authority } from '../authority.fs.ts'
import { createEnrolmentDesk } from '../enrolment.fs.ts'
import { startGateway } from '../gateway.http.ts'
import { openTlsMaterial, type TlsMaterial } from '../material.fs.ts'
import { createTokens } from '../tokens.fs.ts'

export interface TrustedSite {
  readonly name: string
  readonly authority: Authority
  /** Changes what a token says, for those that are wrong. */
  readonly token: (agent: string, change?: Partial<EnrolmentToken>) => Promise<string>
  /** Of a broker on 127.0.0.1. */
  readonly brokerTls: () => Promise<TlsMaterial>
  /** Questions that the listener has answered so far. */
  readonly asked: () => number
  /** Gives these bytes out as the artifact of that digest, whether they are or not. */
  readonly offer: (digest: string, bytes: Uint8Array) => Promise<void>
  /** What becomes of each answer on its way; it may throw, and the answer is lost. */
  readonly answerBy: (change: (answer: Enrolment) => Enrolment) => void
  readonly now: () => number
  /** Added to the clock of the site; OpenSSL keeps to the real one. */
  readonly advance: (ms: number) => void
  readonly close: () => Promise<void>
}

export const startTrustedSite = async (
  name: string,
  brokerUrl = 'mqtts://127.0.0.1:8883',
): Promise<TrustedSite> => {
  const folder = await mkdtemp(join(tmpdir(), 'imlma-site-'))
  const pki = join(folder, 'pki')
  const artifacts = new Map<string, { readonly path: string; readonly bytes: number }>()
  let ahead = 0
  let asked = 0
  let change = (answer: Enrolment): Enrolment => answer
  const now = (): number => Date.now() + ahead
  await createAuthority(pki, name)
  const authority = await openAuthority(pki, { now })
  const trust = await establishTrust(folder, { now: now() })
  const { agent: certifier } = trust
  if (certifier === undefined) throw new Error('a new trust root names the key that certifies agents')
  const tokens = createTokens(pki, now)
  const desk = createEnrolmentDesk(
    {
      authority,
      tokens,
      certifySigningKey: (facts) => sealEnvelope(certificationPayloadType, { v: 1, ...facts }, [certifier]),
      roots: trust.chain.envelopes,
      record: async () => undefined,
      now,
    },
    { folder, brokerUrl },
  )
  const changed = <Code extends string>(answer: Result<Enrolment, Code>): Result<Enrolment, Code> => {
    asked += 1
    return answer.ok ? { ok: true, value: change(answer.value) } : answer
  }
  const materialOf = (kind: 'gateway' | 'broker'): Promise<TlsMaterial> =>
    openTlsMaterial(pki, { kind, site: name, name: kind, hosts: ['127.0.0.1'] })
  const gateway = await startGateway(
    {
      desk: {
        ...desk,
        enrol: async (request) => changed(await desk.enrol(request)),
        renew: async (peer, request) => changed(await desk.renew(peer, request)),
      },
      artifact: async (digest) => artifacts.get(digest),
      now,
      onFailure: () => undefined,
    },
    { host: '127.0.0.1', port: 0, tls: await materialOf('gateway') },
  )
  return {
    name,
    authority,
    token: async (agent, instead = {}) => {
      const { secret } = await tokens.create(agent, 3_600_000)
      return encodeToken({
        url: `https://127.0.0.1:${gateway.port}`,
        site: name,
        agent,
        ca: authority.fingerprint,
        root: sha256(canonicalJson(trust.chain.envelopes()[0])),
        secret,
        ...instead,
      })
    },
    brokerTls: () => materialOf('broker'),
    asked: () => asked,
    offer: async (digest, bytes) => {
      const path = join(folder, digest)
      await writeFile(path, bytes)
      artifacts.set(digest, { path, bytes: bytes.byteLength })
    },
    answerBy: (next) => {
      change = next
    },
    now,
    advance: (ms) => {
      ahead += ms
    },
    close: async () => {
      await gateway.close()
      await rm(folder, { recursive: true })
    },
  }
}
