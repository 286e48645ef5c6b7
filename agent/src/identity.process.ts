/** Who this agent is: as it was enrolled, or as the command line says; and how it stays so. */

import { readFile, rm } from 'node:fs/promises'
import { Failure } from '@imlma/protocol/result'
import { parseToken, type EnrolmentToken, type Signer } from '@imlma/protocol/trust'
import type { Alarms } from './alarms.ts'
import { anchorPathOf, openAnchor, storeAnchor } from './anchor.fs.ts'
import {
  digestOfRoot,
  digestOfSecret,
  enrol,
  openSigningKey,
  openTlsKey,
  readEnrolled,
  renew,
  startRenewal,
  type Enrolled,
  type SigningKey,
  type TlsKey,
} from './identity/index.ts'
import type { MqttLink } from './link/link.mqtt.ts'
import type { Log } from './log.pino.ts'
import type { GivenToken, Settings } from './settings.process.ts'

export interface Identity {
  readonly agent: string
  readonly site: string
  readonly broker: string
  /** Undefined where this agent was never enrolled. */
  readonly credentials: Credentials | undefined
}

export interface Credentials {
  readonly enrolled: Enrolled
  readonly key: TlsKey
  readonly signing: SigningKey
}

const usualBroker = 'mqtt://127.0.0.1:1883'

/**
 * Enrols first where a token is given that was not used here yet. An agent that has an identity goes on with it when that
 * fails. Throws `Failure` NO_NAME, WRONG_TARGET, KEY_MISSING, BAD_TOKEN, and those of `enrol` and of the files.
 */
export const openIdentity = async (settings: Settings, log: Log): Promise<Identity> => {
  const { dataDir } = settings
  let enrolled = await readEnrolled(dataDir)
  if (settings.enrol !== undefined) {
    enrolled = await enrolWhereNew(dataDir, settings.enrol, enrolled).catch((cause: unknown) => {
      if (enrolled === undefined) throw cause
      log.error({ err: cause }, 'not enrolled anew: the identity that is there counts')
      return enrolled
    })
  }
  if (enrolled === undefined) {
    const { name: agent, site, broker = usualBroker } = settings
    if (agent !== undefined && site !== undefined) return { agent, site, broker, credentials: undefined }
    throw new Failure('NO_NAME', `${dataDir} holds no identity, and --name and --site are not both given`, {
      hint: 'enrol this gateway (imlma-agent enrol TOKEN --data-dir DIR), or give --name and --site',
    })
  }
  const { agent, site } = enrolled
  if ((settings.name ?? agent) !== agent || (settings.site ?? site) !== site) {
    throw new Failure('WRONG_TARGET', `${dataDir} is ${agent} of ${site}`, {
      hint: 'leave out --name and --site, or choose another --data-dir',
    })
  }
  return {
    agent,
    site,
    broker: settings.broker ?? enrolled.broker,
    credentials: await openCredentials(dataDir, enrolled),
  }
}

const openCredentials = async (dataDir: string, enrolled: Enrolled): Promise<Credentials> => {
  const [key, signing] = await Promise.all([openTlsKey(dataDir), openSigningKey(dataDir)])
  if (key !== undefined && signing !== undefined) return { enrolled, key, signing }
  throw new Failure('KEY_MISSING', `a key is missing in ${dataDir}/identity`, {
    hint: 'restore the folder, or enrol this gateway anew: imlma pki token --agent NAME at the control centre',
  })
}

const enrolWhereNew = async (
  dataDir: string,
  given: GivenToken,
  before: Enrolled | undefined,
): Promise<Enrolled> => {
  const token = await readToken(given, before !== undefined)
  const isKnown = token === undefined || before?.token === digestOfSecret(token)
  return before !== undefined && isKnown ? before : enrolWith(dataDir, token, given)
}

/** Enrols the gateway; the file of the token is deleted then. Throws as `openIdentity`. */
export const enrolGateway = async (dataDir: string, given: GivenToken): Promise<Enrolled> =>
  enrolWith(dataDir, await readToken(given, false), given)

const enrolWith = async (
  dataDir: string,
  token: EnrolmentToken | undefined,
  given: GivenToken,
): Promise<Enrolled> => {
  if (token === undefined) throw tokenFileMissing(given)
  const anchor = await openAnchor(anchorPathOf(dataDir), undefined)
  const enrolled = await enrol(
    {
      dataDir,
      knownRoot: anchor && digestOfRoot(anchor),
      adoptRoot: (root) => storeAnchor(anchorPathOf(dataDir), `${JSON.stringify(root)}\n`),
    },
    token,
  )
  // It is worth nothing now, and may lie where nobody can delete it.
  if ('file' in given) await rm(given.file, { force: true }).catch(() => undefined)
  return enrolled
}

/** Undefined where there is no such file and there need not be one: it was used and deleted at an earlier start. */
const readToken = async (given: GivenToken, mayBeGone: boolean): Promise<EnrolmentToken | undefined> => {
  const text = 'token' in given ? given.token : await readFile(given.file, 'utf8').catch(() => undefined)
  if (text === undefined) {
    if (mayBeGone) return undefined
    throw tokenFileMissing(given)
  }
  const token = parseToken(text)
  if (token.ok) return token.value
  const { code, message, hint } = token.refusal
  throw new Failure(code, message, hint === undefined ? {} : { hint })
}

const tokenFileMissing = (given: GivenToken): Failure =>
  new Failure('BAD_TOKEN', `${'file' in given ? given.file : 'the token'} cannot be read`, {
    hint: 'check --enrol-file; a token is made by: imlma pki token --agent NAME',
  })

interface FreshParts {
  readonly link: Pick<MqttLink, 'reconnect'>
  readonly alarms: Alarms
  readonly log: Log
}

/** Renews the certificate of a running agent, and hands the link what it has to show at each connect. */
export interface Shown {
  readonly tls: () => { readonly ca: string; readonly cert: string; readonly key: string }
  /** Of the gateway listener, which gives artifacts out over HTTPS. */
  readonly gateway: () => string
  /** Of the key that the control centre has certified last. */
  readonly signer: () => Signer
  /** Returns how to stop it. */
  readonly keepFresh: (parts: FreshParts) => () => void
}

export const createShown = (first: Credentials, dataDir: string): Shown => {
  let credentials = first
  const replace = async (next: Enrolled, { link, log }: FreshParts): Promise<void> => {
    // Whoever enrols a gateway anew may have deleted its keys before.
    credentials = await openCredentials(dataDir, next)
    log.info({ notAfter: next.notAfter }, 'another certificate is in use')
    link.reconnect()
  }
  return {
    tls: () => {
      const { enrolled, key } = credentials
      return { ca: enrolled.ca, cert: enrolled.certificate, key: key.pem }
    },
    gateway: () => credentials.enrolled.gateway,
    signer: () => credentials.signing.signer,
    keepFresh: (parts) => {
      const onFailure = (cause: unknown): void =>
        parts.log.warn({ err: cause }, 'the certificate is not renewed yet')
      const renewal = startRenewal(
        {
          dataDir,
          renew: (current) => renew(current, credentials),
          now: Date.now,
          monotonicMs: () => performance.now(),
          random: Math.random,
          onChange: (next) => void replace(next, parts).catch(onFailure),
          onTrouble: ({ code, notAfter, because }) =>
            parts.alarms.raise({
              model: null,
              version: null,
              kind: 'security',
              level: 'act',
              value: null,
              limit: null,
              evidence: { code, notAfter, because: because?.slice(0, 500) ?? null },
            }),
          onFailure,
        },
        first.enrolled,
      )
      return renewal.stop
    },
  }
}
