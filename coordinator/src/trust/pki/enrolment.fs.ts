/**
 * Who gets a certificate: an agent with a token, or one whose certificate is in the last third of its life. The key is
 * proven by the request, the name comes from the token or from the certificate, never from the request. Durable in this
 * order: the token is used, the certificate is on record, the signing key is certified, the event is in the registry,
 * the answer is sent; whoever loses the answer asks again with the same key and gets the same certificate.
 */

import { createHash, X509Certificate, type KeyObject } from 'node:crypto'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { toKeyId, writeDurably } from '@imlma/protocol/node'
import { accept, refuse, type Result } from '@imlma/protocol/result'
import {
  fromBase64,
  type Enrolment,
  type EnrolmentRefusal,
  type EnrolRequest,
  type Envelope,
  type RenewRequest,
} from '@imlma/protocol/trust'
import {
  addIssued,
  createUseNotes,
  liveCertificatesMax,
  readIssued,
  type IssuedCertificate,
} from './agents.fs.ts'
import type { Authority } from './authority.fs.ts'
import type { Identity } from './identity.ts'
import { toIdentity, toSerial } from './peer.crypto.ts'
import { parseSigningRequest } from './signing-request.crypto.ts'
import type { Tokens } from './tokens.fs.ts'

/** Short enough that a lost one matters little, long enough for a gateway that is out of reach over a holiday. */
const certificateValidityMs = 30 * 86_400_000

/** What a signing key is certified for. */
export interface SigningKeyFacts {
  readonly site: string
  readonly agent: string
  readonly keyid: string
  /** Raw Ed25519, base64. */
  readonly public: string
  readonly serial: string
  readonly issuedAt: number
  readonly expiresAt: number
}

export type IssuedEvent =
  | {
      readonly kind: 'agent-enrolled'
      readonly agent: string
      readonly serial: string
      readonly token: string
    }
  | {
      readonly kind: 'certificate-issued'
      readonly agent: string
      readonly serial: string
      readonly notAfter: number
      readonly keyid: string
    }

interface Parts {
  readonly authority: Authority
  readonly tokens: Tokens
  readonly certifySigningKey: (facts: SigningKeyFacts) => Envelope
  readonly roots: () => readonly Envelope[]
  /** Durable on return. */
  readonly record: (events: readonly IssuedEvent[], at: number) => Promise<unknown>
  readonly now: () => number
}

interface Options {
  /** `<dataDir>/trust`. */
  readonly folder: string
  /** Where agents find the broker. */
  readonly brokerUrl: string
  readonly validityMs?: number
}

export interface Peer {
  readonly agent: string
  readonly certificate: X509Certificate
}

export interface EnrolmentDesk {
  readonly enrol: (request: EnrolRequest) => Promise<Result<Enrolment, EnrolmentRefusal>>
  readonly renew: (peer: Peer, request: RenewRequest) => Promise<Result<Enrolment, EnrolmentRefusal>>
  /** May the holder of a certificate that TLS has verified be served? */
  readonly admit: (certificate: X509Certificate) => Promise<Result<Peer, 'DENIED' | 'WRONG_TARGET'>>
}

export const createEnrolmentDesk = (
  { authority, tokens, certifySigningKey, roots, record, now }: Parts,
  { folder, brokerUrl, validityMs = certificateValidityMs }: Options,
): EnrolmentDesk => {
  const pki = join(folder, 'pki')
  const noteUse = createUseNotes(pki, now)

  const toAnswer = ({ pem, notAfter, certification }: IssuedCertificate) =>
    accept<Enrolment>({
      v: 1,
      certificate: pem,
      notAfter,
      ca: authority.caPem,
      roots: [...roots()],
      certification,
      broker: brokerUrl,
    })

  const issue = async (terms: {
    readonly agent: string
    readonly key: KeyObject
    readonly signingKey: string
    readonly token: string | null
    readonly renews: string | null
    readonly replaces: readonly string[]
  }): Promise<IssuedCertificate> => {
    const { agent, signingKey, token } = terms
    const identity: Identity = { kind: 'agent', site: authority.site, name: agent }
    const { certPem, serial, notAfter } = authority.certify(terms.key, identity, validityMs)
    const issuedAt = now()
    const keyid = toKeyId(fromBase64(signingKey))
    const facts = {
      site: authority.site,
      agent,
      keyid,
      public: signingKey,
      serial,
      issuedAt,
      expiresAt: notAfter,
    }
    const issued = {
      serial,
      key: hashOf(terms.key),
      issuedAt,
      notAfter,
      token,
      renews: terms.renews,
      replaces: [...terms.replaces],
      pem: certPem,
      signingKey,
      certification: certifySigningKey(facts),
    }
    const certified = join(folder, 'agents', `${authority.site}.${agent}`)
    await mkdir(certified, { recursive: true })
    await writeDurably(join(certified, `${keyid}.json`), `${JSON.stringify(issued.certification)}\n`)
    const event = { kind: 'certificate-issued', agent, serial, notAfter, keyid } as const
    await record(
      token === null ? [event] : [{ kind: 'agent-enrolled', agent, serial, token }, event],
      issuedAt,
    )
    // Last: what is on record is answered again without doing any of this.
    await addIssued(pki, agent, issued, issuedAt)
    return issued
  }

  const enrol: EnrolmentDesk['enrol'] = async ({ site, agent, secret, csr, signingKey }) => {
    if (site !== authority.site) return refuse('WRONG_TARGET', `this is site ${authority.site}, not ${site}`)
    const key = parseSigningRequest(csr)
    if (!key.ok) return key
    const used = await tokens.use(secret, agent, hashOf(key.value))
    if (!used.ok) return used
    const token = used.value.id
    const before = await readIssued(pki, agent)
    const again = before.find((one) => one.token === token && one.signingKey === signingKey)
    if (again !== undefined) {
      return authority.denied().has(again.serial) ? deniedSerial(again.serial) : toAnswer(again)
    }
    if (before.some((one) => one.token === token)) {
      return refuse('TOKEN_USED', 'the token was used already, with another signing key', 'make a new token')
    }
    const replaces = before.filter(({ notAfter }) => notAfter > now()).map(({ serial }) => serial)
    return toAnswer(await issue({ agent, key: key.value, signingKey, token, renews: null, replaces }))
  }

  const renew: EnrolmentDesk['renew'] = async ({ agent, certificate }, { csr, signingKey }) => {
    const key = parseSigningRequest(csr)
    if (!key.ok) return key
    const due = renewableFrom(certificate)
    if (now() < due) {
      return refuse(
        'TOO_EARLY',
        'the certificate is not in the last third of its life',
        `renew from ${new Date(due).toISOString()} on`,
      )
    }
    const live = (await readIssued(pki, agent)).filter(({ notAfter }) => notAfter > now())
    const signs = signingKey ?? live.at(-1)?.signingKey
    if (signs === undefined)
      return refuse('BAD_REQUEST', 'no signing key of this agent is known', 'send signingKey')
    const denied = authority.denied()
    const again = live.findLast(
      (one) =>
        one.key === hashOf(key.value) &&
        one.signingKey === signs &&
        !denied.has(one.serial) &&
        now() < renewableFrom(new X509Certificate(one.pem)),
    )
    if (again !== undefined) return toAnswer(again)
    if (live.length >= liveCertificatesMax) {
      return refuse(
        'TOO_MANY',
        `${agent} has ${live.length} certificates already`,
        'deny those that are not in use',
      )
    }
    const renews = toSerial(certificate)
    const renewed = await issue({
      agent,
      key: key.value,
      signingKey: signs,
      token: null,
      renews,
      replaces: [],
    })
    // Denied while this was going on, perhaps by another process, which may not have seen the new one.
    if (!authority.denied().has(renews)) return toAnswer(renewed)
    await authority.deny(renewed.serial, `renewed by ${renews}, which is denied`, agent)
    return deniedSerial(renews)
  }

  // One at a time: two requests with one token, or of one agent, must not both find nothing on record.
  let turn: Promise<unknown> = Promise.resolve()
  const inTurn = <Value>(work: () => Promise<Value>): Promise<Value> => {
    const result = turn.then(work)
    turn = result.catch(() => undefined)
    return result
  }
  return {
    enrol: (request) => inTurn(() => enrol(request)),
    renew: (peer, request) => inTurn(() => renew(peer, request)),
    admit: async (certificate) => {
      const serial = toSerial(certificate)
      const identity = toIdentity(certificate)
      if (identity?.kind !== 'agent' || identity.site !== authority.site) {
        return refuse('WRONG_TARGET', 'the certificate is not of an agent of this site')
      }
      if (authority.denied().has(serial)) return deniedSerial(serial)
      await noteUse(identity.name, serial)
      return accept({ agent: identity.name, certificate })
    },
  }
}

const renewableFrom = ({ validFromDate, validToDate }: X509Certificate): number =>
  validToDate.getTime() - (validToDate.getTime() - validFromDate.getTime()) / 3

const hashOf = (key: KeyObject): string =>
  createHash('sha256')
    .update(key.export({ type: 'spki', format: 'der' }))
    .digest('hex')

const deniedSerial = (serial: string) =>
  refuse('DENIED', `the certificate ${serial} is denied`, 'enrol this gateway anew if it is still yours')
