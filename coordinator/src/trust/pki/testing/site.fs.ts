/** A site with an authority, tokens and a gateway listener on a free port of loopback, and a client for it. For tests. */

import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { request as httpsRequest, type RequestOptions } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createSigner, generateKeyPair, sha256 } from '@imlma/protocol/node'
import { sealEnvelope, toBase64, type Envelope } from '@imlma/protocol/trust'
import { createAuthority, openAuthority, type Authority } from '../authority.fs.ts'
import { createEnrolmentDesk, type IssuedEvent } from '../enrolment.fs.ts'
import { startGateway, type GatewayOptions } from '../gateway.http.ts'
import { openTlsMaterial } from '../material.fs.ts'
import { createTokens, type Tokens } from '../tokens.fs.ts'
import { requestBy, requestOf } from './request.forge.ts'

export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly bytes: Buffer
  /** Undefined where the body is no JSON. */
  readonly json: Record<string, unknown> | undefined
}

export interface TestSite {
  readonly folder: string
  readonly pki: string
  readonly port: number
  readonly authority: Authority
  readonly tokens: Tokens
  readonly events: readonly IssuedEvent[]
  readonly failures: readonly unknown[]
  /** Added to the clock of the control centre; OpenSSL keeps to the real one. */
  readonly advance: (ms: number) => void
  readonly ask: (path: string, options?: Ask) => Promise<Answer>
  readonly close: () => Promise<void>
}

export interface Ask extends Omit<RequestOptions, 'path' | 'port' | 'host'> {
  readonly body?: unknown
}

export const artifact = new TextEncoder().encode('a model of some bytes')

const listener = { kind: 'gateway', site: 'north', name: 'gateway', hosts: ['127.0.0.1'] } as const

/** Keys take long to make: the files of an authority with a listener's certificate, with which every site of a test file begins. */
const template = (async () => {
  const folder = await mkdtemp(join(tmpdir(), 'imlma-gateway-template-'))
  await createAuthority(folder, 'north')
  await openTlsMaterial(folder, listener)
  const names = ['ca.key', 'ca.pem', 'gateway.pem', 'denied.json']
  const files = await Promise.all(
    names.map(async (name) => [name, await readFile(join(folder, name))] as const),
  )
  await rm(folder, { recursive: true })
  return files
})()

export const startTestSite = async (
  options: Partial<GatewayOptions> & { readonly validityMs?: number } = {},
): Promise<TestSite> => {
  const folder = await mkdtemp(join(tmpdir(), 'imlma-gateway-'))
  const pki = join(folder, 'pki')
  let ahead = 0
  const now = () => Date.now() + ahead
  await mkdir(pki)
  for (const [name, content] of await template) await writeFile(join(pki, name), content, { mode: 0o600 })
  const authority = await openAuthority(pki, { now })
  const tokens = createTokens(pki, now)
  const events: IssuedEvent[] = []
  const failures: unknown[] = []
  const signer = createSigner(generateKeyPair().secretKey)
  const root: Envelope = sealEnvelope('application/vnd.imlma.root+json', {}, [signer])
  const desk = createEnrolmentDesk(
    {
      authority,
      tokens,
      certifySigningKey: (facts) => sealEnvelope('application/vnd.imlma.agent+json', facts, [signer]),
      roots: () => [root],
      record: async (found) => void events.push(...found),
      now,
    },
    {
      folder,
      brokerUrl: 'mqtts://127.0.0.1:8883',
      ...(options.validityMs === undefined ? {} : { validityMs: options.validityMs }),
    },
  )
  const tls = await openTlsMaterial(pki, listener)
  const path = join(folder, 'artifact')
  await writeFile(path, artifact)
  const gateway = await startGateway(
    {
      desk,
      artifact: async (digest) =>
        digest === sha256(artifact) ? { path, bytes: (await stat(path)).size } : undefined,
      now,
      onFailure: (error) => failures.push(error),
    },
    { host: '127.0.0.1', port: 0, tls, burst: 1_000, ...options },
  )
  return {
    folder,
    pki,
    port: gateway.port,
    authority,
    tokens,
    events,
    failures,
    advance: (ms) => {
      ahead += ms
    },
    ask: (where, given = {}) => ask(gateway.port, where, { ca: authority.caPem, ...given }),
    close: async () => {
      await gateway.close()
      await rm(folder, { recursive: true })
    },
  }
}

const ask = (port: number, path: string, { body, ...options }: Ask): Promise<Answer> =>
  new Promise((resolve, reject) => {
    const method = options.method ?? (body === undefined ? 'GET' : 'POST')
    const request = httpsRequest(
      { host: '127.0.0.1', port, path, agent: false, ...options, method },
      (response) => {
        const chunks: Buffer[] = []
        response.on('data', (chunk: Buffer) => chunks.push(chunk))
        response.on('error', reject)
        response.on('end', () => {
          const bytes = Buffer.concat(chunks)
          resolve({ status: response.statusCode ?? 0, headers: response.headers, bytes, json: toJson(bytes) })
        })
      },
    )
    request.on('error', reject)
    request.end(typeof body === 'string' || body === undefined ? body : JSON.stringify(body))
  })

const toJson = (bytes: Buffer): Record<string, unknown> | undefined => {
  try {
    return JSON.parse(bytes.toString()) as Record<string, unknown>
  } catch {
    return undefined
  }
}

export interface Enrolled {
  readonly key: string
  readonly cert: string
  readonly answer: Answer
  readonly body: ReturnType<typeof enrolBody>
}

export const newSigningKey = (): string => toBase64(generateKeyPair().publicKey)

export const enrolBody = (secret: string, agent: string, csr: string) => ({
  v: 1,
  site: 'north',
  agent,
  secret,
  csr,
  signingKey: newSigningKey(),
})

const usual = requestBy('a name that nobody looks at')

/** By a new token, of one and the same key where none is given. */
export const enrolAs = async (site: TestSite, agent: string, requested = usual): Promise<Enrolled> => {
  const { secret } = await site.tokens.create(agent, 3_600_000)
  const { csrPem, privateKey } = requested
  const body = enrolBody(secret, agent, csrPem)
  const answer = await site.ask('/enrol', { body })
  return { key: privateKey, cert: String(answer.json?.certificate), answer, body }
}

export const renewalBy = (key: string) => ({ v: 1, csr: requestOf(key, 'renewed').csrPem })
