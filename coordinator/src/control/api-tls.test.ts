import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { get } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect } from 'node:tls'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startServer, type HttpServer } from '../api/server.http.ts'
import { createTestApp } from '../api/testing/call.http.ts'
import { createAuthority, openTlsMaterial } from '../trust/pki/index.ts'
import { openApiTls } from './api-tls.fs.ts'

let folder: string
let server: HttpServer
let ca: string
const options = () => ({ host: '0.0.0.0', site: 'demo', authority: join(folder, 'pki') })

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'imlma-api-tls-'))
  await createAuthority(join(folder, 'pki'), 'demo')
  ca = (await openTlsMaterial(join(folder, 'pki'), { kind: 'broker', site: 'demo', name: 'x' })).ca
  const tls = await openApiTls(options())
  if (tls === undefined) throw new Error('there is an authority, and no certificate')
  const { app } = createTestApp({ loopbackOnly: false, secure: true })
  server = await startServer(app, { host: '0.0.0.0', port: 0, tls })
})
afterAll(async () => {
  await server.close()
  await rm(folder, { recursive: true })
})

const health = (trusted: string | undefined) =>
  new Promise<string>((resolve, reject) => {
    const url = `https://localhost:${server.port}/api/v1/health`
    const asked = get(url, trusted === undefined ? {} : { ca: trusted }, (response) => {
      response.setEncoding('utf8').on('data', resolve)
    })
    asked.on('error', reject)
  })

test('beyond loopback the page is served with the certificate of the site', async () => {
  expect(server.url).toMatch(/^https:/)
  expect(await health(ca)).toBe('{"status":"ok"}')
  await expect(health(undefined)).rejects.toThrow(/certificate/)
})

test('what is older than TLS 1.3, or no TLS at all, is refused', async () => {
  const older = new Promise((resolve, reject) => {
    const socket = connect(
      { port: server.port, host: '127.0.0.1', servername: 'localhost', ca, maxVersion: 'TLSv1.2' },
      () => resolve(socket),
    )
    socket.on('error', reject)
  })
  await expect(older).rejects.toThrow(/alert protocol version/)
  await expect(fetch(`http://127.0.0.1:${server.port}/api/v1/health`)).rejects.toThrow('fetch failed')
})

test('on loopback nothing is needed, and elsewhere a missing authority is told by the server', async () => {
  expect(await openApiTls({ ...options(), host: '127.0.0.1' })).toBeUndefined()
  expect(await openApiTls({ ...options(), authority: join(folder, 'none') })).toBeUndefined()
})

test('a certificate that is named is taken, wherever it is served; half of one is not', async () => {
  const path = join(folder, 'named.pem')
  await writeFile(path, 'PEM')
  const named = { ...options(), host: '127.0.0.1', apiCert: path }
  expect(await openApiTls({ ...named, apiKey: path })).toEqual({ cert: 'PEM', key: 'PEM' })
  await expect(openApiTls(named)).rejects.toMatchObject({ code: 'CERTIFICATE_UNREADABLE' })
  const gone = join(folder, 'gone.pem')
  await expect(openApiTls({ ...named, apiKey: gone })).rejects.toMatchObject({
    code: 'CERTIFICATE_UNREADABLE',
  })
})
