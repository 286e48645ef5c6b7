/** The certificate authority in the data directory of this machine; works beside a running control centre and without one. */

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { sha256 } from '@imlma/protocol/node'
import { accept, Failure, refuse, type Result } from '@imlma/protocol/result'
import { canonicalJson, encodeToken, parseEnvelope } from '@imlma/protocol/trust'
import { rootsFolderOf } from '../trust/establish.fs.ts'
import { readAgents, readIssued } from '../trust/pki/agents.fs.ts'
import { createAuthority, openAuthority, readCa } from '../trust/pki/authority.fs.ts'
import { isSerial, readDenials } from '../trust/pki/denied.fs.ts'
import { readGatewayAddress } from '../trust/pki/gateway-address.fs.ts'
import { createTokens, type TokenView } from '../trust/pki/tokens.fs.ts'

export interface AuthorityView {
  readonly site: string
  readonly fingerprint: string
  readonly notAfter: number
  /** Where gateways enrol; null before the control centre has opened its listener for the first time. */
  readonly gateway: string | null
  readonly path: string
}

export interface CertificateView {
  readonly agent: string
  readonly serial: string
  readonly issuedAt: number
  readonly notAfter: number
  readonly denied: { readonly at: number; readonly reason: string } | null
}

export interface Pki {
  readonly init: (site: string) => Promise<{ readonly created: boolean; readonly authority: AuthorityView }>
  readonly show: () => Promise<AuthorityView>
  readonly token: (terms: {
    readonly agent: string
    readonly validityMs: number
    /** In place of what the control centre has said of itself. */
    readonly gateway?: string
  }) => Promise<Result<{ readonly token: string; readonly expiresAt: number; readonly gateway: string }>>
  readonly list: () => Promise<{
    readonly certificates: readonly CertificateView[]
    readonly tokens: readonly TokenView[]
  }>
  /** By serial, or every live certificate of an agent. Those that were denied before are not named again. */
  readonly deny: (
    target: { readonly serial: string } | { readonly agent: string },
    reason: string,
  ) => Promise<Result<{ readonly serials: readonly string[] }>>
}

/** Each throws the `Failure`s of `openAuthority`; `token` TRUST_MISSING besides. */
export const createPki = (dataDir: string, now: () => number): Pki => {
  const trust = join(dataDir, 'trust')
  const folder = join(trust, 'pki')

  const show = async (): Promise<AuthorityView> => {
    const { certificate, site } = await readCa(folder)
    const gateway = (await readGatewayAddress(folder)) ?? null
    const notAfter = certificate.validToDate.getTime()
    return { site, fingerprint: sha256(certificate.raw), notAfter, gateway, path: folder }
  }

  const certificates = async (): Promise<readonly CertificateView[]> => {
    const denials = new Map((await readDenials(folder)).map((denial) => [denial.serial, denial]))
    const views: CertificateView[] = []
    for (const agent of await readAgents(folder)) {
      for (const { serial, issuedAt, notAfter } of await readIssued(folder, agent)) {
        const found = denials.get(serial)
        const denied = found === undefined ? null : { at: found.at, reason: found.reason }
        views.push({ agent, serial, issuedAt, notAfter, denied })
      }
    }
    return views
  }

  return {
    init: async (site) => {
      const created = await createAuthority(folder, site, { now })
      return { created, authority: await show() }
    },
    show,
    token: async ({ agent, validityMs, gateway: given }) => {
      const { site, fingerprint, gateway: told } = await show()
      const url = given ?? told
      if (url === null) {
        return refuse(
          'GATEWAY_UNKNOWN',
          'nobody knows yet where gateways enrol',
          'start the control centre with --tls, or say it with --gateway https://HOST:8443',
        )
      }
      const root = await firstRootDigest(rootsFolderOf(trust))
      const { secret, expiresAt } = await createTokens(folder, now).create(agent, validityMs)
      const token = encodeToken({ url, site, agent, ca: fingerprint, root, secret })
      return accept({ token, expiresAt, gateway: url })
    },
    list: async () => {
      await readCa(folder)
      return { certificates: await certificates(), tokens: await createTokens(folder, now).list() }
    },
    deny: async (target, reason) => {
      const authority = await openAuthority(folder, { now })
      const isMeant = ({ agent, serial, notAfter, denied }: CertificateView): boolean =>
        denied === null &&
        ('agent' in target ? agent === target.agent && notAfter > now() : serial === target.serial)
      const serials: string[] = []
      for (;;) {
        const meant = (await certificates()).filter(isMeant)
        if (meant.length === 0) break
        // Looked at again afterwards: a renewal may have been on its way.
        for (const { serial, agent } of meant) await authority.deny(serial, reason, agent)
        serials.push(...meant.map(({ serial }) => serial))
      }
      if (serials.length > 0) return accept({ serials })
      if ('agent' in target) {
        return refuse(
          'NOT_FOUND',
          `${target.agent} has no certificate that is good`,
          'imlma pki list shows them',
        )
      }
      if (!isSerial(target.serial)) {
        return refuse('USAGE', 'a serial has 32 hexadecimal digits', 'imlma pki list shows them')
      }
      const before = authority.denied().has(target.serial)
      // Of an agent's record that was lost, perhaps: a person who has the serial knows why.
      if (!before) await authority.deny(target.serial, reason)
      return accept({ serials: before ? [] : [target.serial] })
    },
  }
}

const firstRootDigest = async (folder: string): Promise<string> => {
  const path = join(folder, '1.json')
  const bytes = await readFile(path).catch((cause: unknown) => {
    throw new Failure('TRUST_MISSING', `there is no trust root ${path}`, {
      cause,
      hint: 'start the control centre once: it makes the first one',
    })
  })
  const envelope = parseEnvelope(bytes)
  if (envelope.ok) return sha256(canonicalJson(envelope.value))
  throw new Failure('TRUST_BROKEN', `trust root ${path}: ${envelope.refusal.message}`, {
    hint: 'restore the trust folder from a backup',
  })
}
