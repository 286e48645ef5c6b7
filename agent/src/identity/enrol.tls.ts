/**
 * From a token to an identity, and from a certificate to the next one.
 *
 *   keys on disk → question → answer checked → trust root on disk → everything else on disk, in one file
 *
 * Whoever is cut off anywhere asks again with the same keys, and is given the same.
 */

import { sha256 } from '@imlma/protocol/node'
import { Failure, type Refusal } from '@imlma/protocol/result'
import type { Enrolment, EnrolmentToken, EnrolRequest, Envelope, RenewRequest } from '@imlma/protocol/trust'
import { checkAnswer, fingerprintOf, type Expected } from './answer.crypto.ts'
import { readEnrolled, writeEnrolled, type Enrolled } from './enrolled.fs.ts'
import { askGateway, fetchAuthority } from './gateway.tls.ts'
import { makeSigningKey } from './signing-key.fs.ts'
import { makeTlsKey, requestFor } from './tls-key.crypto.ts'

export interface EnrolParts {
  readonly dataDir: string
  /** Digest of the trust root that this agent was born with; undefined where it has none yet. */
  readonly knownRoot: string | undefined
  /** Durable on return. */
  readonly adoptRoot: (envelope: Envelope) => Promise<void>
}

/**
 * Throws `Failure` WRONG_TARGET, WRONG_ROOT, what the gateway refuses with (`enrolmentRefusals`), and what `fetchAuthority`,
 * `askGateway`, `checkAnswer` and the keys' files say.
 */
export const enrol = async (
  { dataDir, knownRoot, adoptRoot }: EnrolParts,
  token: EnrolmentToken,
): Promise<Enrolled> => {
  const { site, agent, url, secret } = token
  const before = await readEnrolled(dataDir)
  if (before !== undefined && (before.site !== site || before.agent !== agent)) {
    throw new Failure(
      'WRONG_TARGET',
      `${dataDir} is ${before.agent} of ${before.site}, the token is for ${agent} of ${site}`,
      {
        hint: 'choose another --data-dir, or have a token made for this agent',
      },
    )
  }
  if (knownRoot !== undefined && knownRoot !== token.root) {
    throw new Failure('WRONG_ROOT', `the token is of a site with another trust root than ${dataDir} knows`, {
      hint: 'a gateway follows one trust root for life: give it a new --data-dir if it really moves to another site',
    })
  }
  const ca = await fetchAuthority(url, token.ca)
  const key = await makeTlsKey(dataDir)
  const signing = await makeSigningKey(dataDir, agent)
  const asked: EnrolRequest = {
    v: 1,
    site,
    agent,
    secret,
    csr: requestFor(key, { agent, site }),
    signingKey: signing.public,
  }
  const answer = await ask({ url, path: '/enrol' }, asked, { ca }, { ...token, key, signing })
  const [first] = answer.roots
  if (knownRoot === undefined && first !== undefined) await adoptRoot(first)
  const asker = { site, agent, gateway: url, token: digestOfSecret(token), root: token.root }
  const enrolled = toEnrolled(answer, asker)
  await writeEnrolled(dataDir, enrolled)
  return enrolled
}

/** A new certificate for the same keys; nothing is stored yet. Throws as `enrol`. */
export const renew = async (
  enrolled: Enrolled,
  { key, signing }: Pick<Expected, 'key' | 'signing'>,
): Promise<Enrolled> => {
  const { site, agent, gateway, token, root, ca, certificate } = enrolled
  const asked: RenewRequest = { v: 1, csr: requestFor(key, { agent, site }), signingKey: signing.public }
  const answer = await ask(
    { url: gateway, path: '/renew' },
    asked,
    { ca, cert: certificate, key: key.pem },
    { site, agent, ca: fingerprintOf(ca), root, key, signing },
  )
  return toEnrolled(answer, { site, agent, gateway, token, root })
}

/** As it stands in `Enrolled.token`. */
export const digestOfSecret = ({ secret }: Pick<EnrolmentToken, 'secret'>): string => sha256(secret)

const ask = async (
  where: Parameters<typeof askGateway>[0],
  document: unknown,
  material: Parameters<typeof askGateway>[2],
  expected: Expected,
): Promise<Enrolment> => {
  const answer = await askGateway(where, document, material)
  if (!answer.ok) throw toFailure(answer.refusal)
  const checked = checkAnswer(answer.value, expected)
  if (!checked.ok) throw toFailure(checked.refusal)
  return answer.value
}

const toFailure = ({ code, message, hint }: Refusal): Failure =>
  new Failure(code, message, hint === undefined ? {} : { hint })

/** All but the roots, which are kept elsewhere. */
const toEnrolled = (
  { v, certificate, notAfter, ca, certification, broker }: Enrolment,
  asked: Pick<Enrolled, 'site' | 'agent' | 'gateway' | 'token' | 'root'>,
): Enrolled => ({ v, ...asked, certificate, notAfter, ca, certification, broker })
