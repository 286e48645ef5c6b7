/**
 * Asks the control centre's gateway listener for certificates. Whom to believe is never learned from the connection: the
 * authority is the one whose digest the token names, and from then on OpenSSL decides, with that authority alone and
 * with the host's name. Nothing is sent before that.
 */

import { request as httpsRequest } from 'node:https'
import { connect, type DetailedPeerCertificate } from 'node:tls'
import { X509Certificate } from 'node:crypto'
import { sha256 } from '@imlma/protocol/node'
import { Failure, refuse, type Result } from '@imlma/protocol/result'
import { enrolmentRefusedSchema, enrolmentSchema, type Enrolment } from '@imlma/protocol/trust'
import { parseJsonMessage } from '@imlma/protocol/wire'

/** As `node:tls` takes them, PEM. */
export interface TlsMaterial {
  readonly ca: string
  readonly cert?: string
  readonly key?: string
}

/** Slow lines and slow keys need a second or two. */
const answerMsMax = 20_000
/** A chain of a hundred trust roots with two schemes. */
const answerBytesMax = 1_048_576
/** A certificate of a site, its gateway's, and what an outside authority may put between. */
const chainLengthMax = 8

/**
 * The authority's certificate (PEM) out of what the listener presents: the one with this SHA-256 of its DER. Throws
 * `Failure` GATEWAY_UNREACHABLE (retryable), WRONG_AUTHORITY.
 */
export const fetchAuthority = async (url: string, fingerprint: string): Promise<string> => {
  const { hostname, port } = addressOf(url)
  const chain = await new Promise<readonly Buffer[]>((resolve, reject) => {
    const socket = connect(
      // Not believed, only looked at: the next connection verifies.
      { host: hostname, port, ...servername(hostname), minVersion: 'TLSv1.3', rejectUnauthorized: false },
      () => {
        resolve(toChain(socket.getPeerCertificate(true)))
        socket.destroy()
      },
    )
    socket.setTimeout(answerMsMax, () => socket.destroy(new Error(`no answer within ${answerMsMax} ms`)))
    socket.once('error', (cause) => reject(toFailure(url, cause)))
    socket.once('close', () => reject(toFailure(url, new Error('the connection was closed'))))
  })
  const found = chain.find((der) => sha256(der) === fingerprint)
  if (found !== undefined) return new X509Certificate(found).toString()
  throw new Failure('WRONG_AUTHORITY', `${url} does not belong to the authority that the token names`, {
    hint: 'something stands between this gateway and the control centre, or the token is of another site: ask whoever made it',
  })
}

/** Throws `Failure` GATEWAY_UNREACHABLE (retryable), GATEWAY_UNTRUSTED, BAD_ANSWER. */
export const askGateway = async (
  { url, path }: { readonly url: string; readonly path: '/enrol' | '/renew' },
  document: unknown,
  material: TlsMaterial,
): Promise<Result<Enrolment>> => {
  const { status, body } = await post(url, path, JSON.stringify(document), material)
  if (status === 200) {
    const answer = parseJsonMessage(enrolmentSchema, body, answerBytesMax)
    if (answer.ok) return answer
    throw badAnswer(url, answer.refusal.message)
  }
  const refused = parseJsonMessage(enrolmentRefusedSchema, body, answerBytesMax)
  if (refused.ok) return refuse(refused.value.code, refused.value.message, refused.value.hint)
  throw badAnswer(url, `status ${status}`)
}

interface Answer {
  readonly status: number
  readonly body: Buffer
}

const post = (url: string, path: string, content: string, material: TlsMaterial): Promise<Answer> =>
  new Promise((resolve, reject) => {
    const { hostname, port } = addressOf(url)
    const give = (cause: Error): void => reject(toFailure(url, cause))
    const request = httpsRequest({
      host: hostname,
      port,
      path,
      method: 'POST',
      // One connection for one question: none is kept open for twenty days.
      agent: false,
      minVersion: 'TLSv1.3',
      ...servername(hostname),
      ...material,
      headers: { 'content-type': 'application/json', 'content-length': Buffer.byteLength(content) },
    })
    const deadline = setTimeout(
      () => request.destroy(new Error(`no answer within ${answerMsMax} ms`)),
      answerMsMax,
    )
    request.once('close', () => clearTimeout(deadline))
    request.once('error', give)
    request.once('response', (response) => {
      const chunks: Buffer[] = []
      let bytes = 0
      response.on('data', (chunk: Buffer) => {
        bytes += chunk.byteLength
        if (bytes > answerBytesMax)
          request.destroy(new Error(`an answer of more than ${answerBytesMax} bytes`))
        else chunks.push(chunk)
      })
      response.once('error', give)
      response.once('end', () => resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks) }))
    })
    request.end(content)
  })

const toChain = (first: DetailedPeerCertificate): readonly Buffer[] => {
  const chain: Buffer[] = []
  let current: DetailedPeerCertificate | undefined = first
  // The last one is its own issuer.
  while (current?.raw !== undefined && chain.length < chainLengthMax) {
    if (chain.some((der) => der.equals(current?.raw ?? der))) break
    chain.push(current.raw)
    current = current.issuerCertificate
  }
  return chain
}

const addressOf = (url: string): { readonly hostname: string; readonly port: number } => {
  const { hostname, port } = new URL(url)
  return { hostname: hostname.replace(/^\[(.*)\]$/, '$1'), port: port === '' ? 443 : Number(port) }
}

/** An address is no server name (RFC 6066, "Server Name Indication"). */
const servername = (hostname: string): { readonly servername?: string } =>
  /^[\d.]+$|:/.test(hostname) ? {} : { servername: hostname }

/** What OpenSSL and Node say of a peer that they do not believe. */
const untrusted =
  /^(?:CERT_|ERR_TLS_|UNABLE_TO_|SELF_SIGNED|DEPTH_ZERO|HOSTNAME_MISMATCH|INVALID_CA|INVALID_PURPOSE)/

const toFailure = (url: string, cause: Error): Failure =>
  'code' in cause && typeof cause.code === 'string' && untrusted.test(cause.code)
    ? new Failure('GATEWAY_UNTRUSTED', `${url} is not believed: ${cause.message}`, {
        cause,
        retryable: true,
        hint: 'check the clock of this gateway, and that the control centre was started with --public-host and this name',
      })
    : new Failure('GATEWAY_UNREACHABLE', `${url} does not answer: ${cause.message}`, {
        cause,
        retryable: true,
        hint: 'check the way to the control centre, then do the same again: the same token gives this gateway the same certificate',
      })

const badAnswer = (url: string, message: string): Failure =>
  new Failure('BAD_ANSWER', `${url} answers in a form that is not known here: ${message}`, {
    retryable: true,
    hint: 'check that the address is that of the gateway listener, and that both sides are of one version',
  })
