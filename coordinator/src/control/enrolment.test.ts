import { X509Certificate } from 'node:crypto'
import { request as httpsRequest } from 'node:https'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { sha256, verifySignature } from '@imlma/protocol/node'
import { enrolmentSchema, openCertification } from '@imlma/protocol/trust'
import { createHeadFile } from '../registry/head.fs.ts'
import type { Registry } from '../registry/registry.ts'
import { openRegistry } from '../registry/registry.kysely.ts'
import { createArtifactStore } from '../storage/artifacts.fs.ts'
import { openDatabase } from '../storage/database.sqlite.ts'
import { createStateStore } from '../storage/states.kysely.ts'
import { establishTrust, type Trust } from '../trust/establish.fs.ts'
import { createAuthority, openAuthority } from '../trust/pki/authority.fs.ts'
import { readGatewayAddress } from '../trust/pki/gateway-address.fs.ts'
import { requestBy } from '../trust/pki/testing/request.forge.ts'
import { enrolBody } from '../trust/pki/testing/site.fs.ts'
import { createTokens } from '../trust/pki/tokens.fs.ts'
import { openEnrolment } from './enrolment.process.ts'

const model = new TextEncoder().encode('a signed model')
const secret = new TextEncoder().encode('a model that nobody has signed')
const failures: unknown[] = []
const stops: (() => Promise<unknown>)[] = []

let folder: string
let pki: string
let trust: Trust
let registry: Registry
let start: (site?: string) => Promise<() => Promise<void>>
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'imlma-enrolment-'))
  stops.unshift(() => rm(folder, { recursive: true }))
  pki = join(folder, 'trust', 'pki')
  await mkdir(join(folder, 'trust'))
  await createAuthority(pki, 'north')
  trust = await establishTrust(join(folder, 'trust'), { now: Date.now() })
  const db = openDatabase(join(folder, 'registry.db'))
  registry = await openRegistry({ db, head: createHeadFile(join(folder, 'head.json')) })
  stops.unshift(() => registry.close())
  const artifacts = await createArtifactStore(join(folder, 'artifacts'))
  await artifacts.put(model)
  await artifacts.put(secret)
  start = async (site = 'north') => {
    const enrolment = await openEnrolment(
      {
        trust,
        registry,
        states: createStateStore(db),
        artifacts,
        isServable: (digest) => digest === sha256(model),
        now: Date.now,
        onFailure: (error) => failures.push(error),
      },
      {
        folder: join(folder, 'trust'),
        site,
        host: '127.0.0.1',
        port: 0,
        publicHosts: ['127.0.0.1'],
        agentsBrokerUrl: 'mqtts://127.0.0.1:8883',
      },
    )
    if (enrolment === undefined) throw new Error('there are options')
    return enrolment.stop
  }
})
afterAll(async () => {
  for (const stop of stops) await stop()
})

interface Client {
  readonly key?: string
  readonly cert?: string
}

const ask = async (
  path: string,
  client: Client,
  body?: unknown,
): Promise<{ status: number; text: string }> => {
  const { caPem: ca } = await openAuthority(pki)
  const url = `${await readGatewayAddress(pki)}${path}`
  return new Promise((resolve, reject) => {
    const method = body === undefined ? 'GET' : 'POST'
    const request = httpsRequest(url, { ca, ...client, method, agent: false }, (response) => {
      let text = ''
      response.on('data', (chunk: Buffer) => (text += chunk.toString()))
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text }))
    })
    request.on('error', reject)
    request.end(body === undefined ? undefined : JSON.stringify(body))
  })
}

const denials = async () =>
  (await registry.events({})).flatMap(({ event }) => (event.kind === 'certificate-denied' ? [event] : []))

test('an agent is enrolled, certified under the trust root, served what is signed, and denied in the registry once', async () => {
  const stop = await start()
  const { csrPem, privateKey: key } = requestBy('anything')
  const token = await createTokens(pki, Date.now).create('gw-1', 3_600_000)
  const body = enrolBody(token.secret, 'gw-1', csrPem)
  const enrolment = enrolmentSchema.parse(JSON.parse((await ask('/enrol', {}, body)).text))
  const serial = new X509Certificate(enrolment.certificate).serialNumber.toLowerCase()
  const root = trust.chain.current()
  const terms = { root, verify: verifySignature, site: 'north', agent: 'gw-1', at: Date.now() }
  expect(openCertification(enrolment.certification, terms)).toMatchObject({
    value: { public: body.signingKey, serial },
  })
  expect((await registry.events({})).map(({ event }) => event.kind)).toEqual([
    'agent-enrolled',
    'certificate-issued',
  ])

  const client = { key, cert: enrolment.certificate }
  expect(await ask(`/artifacts/${sha256(model)}`, client)).toEqual({ status: 200, text: 'a signed model' })
  expect((await ask(`/artifacts/${sha256(secret)}`, client)).status).toBe(404)

  // As the command line does it, in a process of its own.
  await (await openAuthority(pki)).deny(serial, 'stolen', 'gw-1')
  expect((await ask(`/artifacts/${sha256(model)}`, client)).status).toBe(403)
  await expect.poll(denials, { timeout: 5_000 }).toMatchObject([{ agent: 'gw-1', serial, reason: 'stolen' }])
  await stop()

  const again = await start()
  await (await openAuthority(pki)).deny('4'.repeat(32), 'lost')
  await expect
    .poll(async () => (await denials()).map((one) => one.reason), { timeout: 5_000 })
    .toEqual(['stolen', 'lost'])
  await again()
  expect(failures).toEqual([])
})

test('an authority of another site is not signed with', async () => {
  await expect(start('south')).rejects.toMatchObject({ code: 'WRONG_SITE' })
})
