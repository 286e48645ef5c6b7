import { once } from 'node:events'
import { connect } from 'node:net'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sha256 } from '@imlma/protocol/node'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { createApp } from '../api/routes.http.ts'
import { startServer, type HttpServer } from '../api/server.http.ts'
import { createControlFixture } from '../api/testing/control-fixture.ts'
import { createPeopleFixture } from '../api/testing/people-fixture.ts'
import { createUploads, type Uploads } from './uploads.fs.ts'

const bytes = (text: string) => new TextEncoder().encode(text)
async function* parts(...all: readonly string[]): AsyncGenerator<Uint8Array> {
  for (const part of all) yield bytes(part)
}

describe('uploads', () => {
  let folder: string
  let uploads: Uploads
  beforeEach(async () => {
    folder = join(await mkdtemp(join(tmpdir(), 'imlma-uploads-')), 'uploads')
    uploads = await createUploads({ folder, bytesMax: 20, keptMax: 2, receivingMax: 2 })
  })
  afterEach(() => rm(join(folder, '..'), { recursive: true }))
  const left = () => readdir(folder)

  test('are found by their hash once they are whole', async () => {
    const digest = sha256('half and half')
    expect(await uploads.path(digest)).toBeUndefined()
    expect(await uploads.receive(digest, parts('half', ' and half'))).toEqual({
      ok: true,
      value: { bytes: 13 },
    })
    expect(await readFile((await uploads.path(digest)) ?? '', 'utf8')).toBe('half and half')
    expect((await uploads.receive(digest, parts('half and half'))).ok).toBe(true)
    expect(await left()).toEqual([digest])
  })

  test.each([
    ['that are too large', 'TOO_LARGE', () => parts('ten bytes ', 'ten bytes ', 'and one more')],
    ['that are something else', 'HASH_MISMATCH', () => parts('another')],
    ['that are nothing', 'HASH_MISMATCH', () => parts()],
    [
      'that break off',
      'TRUNCATED',
      async function* () {
        yield bytes('the first half')
        await Promise.resolve()
        throw new Error('aborted')
      },
    ],
  ])('%s are refused and leave nothing behind', async (_, code, content) => {
    expect(await uploads.receive(sha256('expected'), content())).toMatchObject({ refusal: { code } })
    expect(await left()).toEqual([])
  })

  test('read no more of a sender than the bound', async () => {
    let sent = 0
    async function* endless(): AsyncGenerator<Uint8Array> {
      for (;;) {
        sent += 10
        yield bytes('ten bytes ')
      }
    }
    expect(await uploads.receive(sha256(''), endless())).toMatchObject({ refusal: { code: 'TOO_LARGE' } })
    expect(sent).toBe(30)
  })

  test('are received a few at a time', async () => {
    let finish = (): void => undefined
    const finished = new Promise<void>((resolve) => (finish = resolve))
    async function* slow(): AsyncGenerator<Uint8Array> {
      await finished
      yield bytes('slow')
    }
    const slowOnes = [uploads.receive(sha256('slow'), slow()), uploads.receive(sha256('slow'), slow())]
    expect(await uploads.receive(sha256('quick'), parts('quick'))).toMatchObject({
      refusal: { code: 'BUSY' },
    })
    finish()
    expect((await Promise.all(slowOnes)).map(({ ok }) => ok)).toEqual([true, true])
    expect((await uploads.receive(sha256('quick'), parts('quick'))).ok).toBe(true)
  })

  test('that nobody registers make room for later ones, and are gone after a restart', async () => {
    for (const text of ['first', 'second', 'third']) await uploads.receive(sha256(text), parts(text))
    expect(await left()).toHaveLength(2)
    expect(await uploads.path(sha256('third'))).toBeDefined()
    await createUploads({ folder })
    expect(await left()).toEqual([])
  })

  test('have no path outside of their folder', async () => {
    expect(await uploads.path('../uploads')).toBeUndefined()
  })
})

describe('uploads over a real connection', () => {
  let folder: string
  let server: HttpServer
  const bytesMax = 3_000_000
  beforeEach(async () => {
    folder = join(await mkdtemp(join(tmpdir(), 'imlma-uploads-')), 'uploads')
    const uploads = await createUploads({ folder, bytesMax, receivingMax: 1 })
    const control = { ...createControlFixture({ now: 0 }), upload: uploads.receive }
    const assets = { importMapHash: '', find: async () => undefined }
    const app = createApp(
      { control, assets, people: createPeopleFixture(), now: Date.now },
      { version: '0.1.0', loopbackOnly: true },
    )
    server = await startServer(app, { host: '127.0.0.1', port: 0 })
  })
  afterEach(async () => {
    await server.close()
    await rm(join(folder, '..'), { recursive: true })
  })
  const put = (content: Uint8Array<ArrayBuffer>) =>
    fetch(`${server.url}/api/v1/uploads/${sha256(content)}`, {
      method: 'PUT',
      headers: { authorization: 'Bearer operate', 'content-type': 'application/octet-stream' },
      body: content,
    })

  test('arrive whole, or are refused by their size', async () => {
    const response = await put(new Uint8Array(bytesMax).fill(7))
    expect([response.status, await response.json()]).toEqual([
      201,
      expect.objectContaining({ bytes: bytesMax }),
    ])
    expect((await put(new Uint8Array(bytesMax + 1))).status).toBe(413)
    expect(await readdir(folder)).toHaveLength(1)
  })

  test('leave nothing behind when the sender goes away, and hold up nobody', async () => {
    const socket = connect(server.port, '127.0.0.1')
    await once(socket, 'connect')
    socket.write(
      `PUT /api/v1/uploads/${sha256('all of it')} HTTP/1.1\r\nhost: 127.0.0.1:${server.port}\r\n` +
        'authorization: Bearer operate\r\ncontent-type: application/octet-stream\r\ncontent-length: 9\r\n\r\nhalf',
    )
    await vi.waitFor(async () => expect(await readdir(folder)).toHaveLength(1))
    socket.destroy()
    await vi.waitFor(async () => expect(await readdir(folder)).toEqual([]))
    await vi.waitFor(async () => expect((await put(bytes('all of it'))).status).toBe(201))
  })
})
