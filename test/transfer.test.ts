import { createServer, connect, type AddressInfo } from 'node:net'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { enrol, openTlsKey } from '@imlma/agent/identity'
import { createHttpsTransfer, openStore, type GatewayAccess } from '@imlma/agent/models/transfer'
import { startTrustedSite, type TrustedSite } from '@imlma/coordinator/trust/testing'
import { sha256 } from '@imlma/protocol/node'
import { parseToken } from '@imlma/protocol/trust'
import { createFolder, type Folder } from './house/places.fs.ts'

const artifact = Uint8Array.from({ length: 3_000_000 }, (_, i) => (i * 7 + (i >> 9)) % 256)
const wanted = { sha256: sha256(artifact), bytes: artifact.byteLength }
const never = new AbortController().signal

let site: TrustedSite
let folder: Folder
let access: GatewayAccess
beforeAll(async () => {
  site = await startTrustedSite('north')
  await site.offer(wanted.sha256, artifact)
})
beforeEach(async () => {
  folder = await createFolder('transfer')
  access = await enrolled()
})
afterEach(() => folder.remove())
afterAll(() => site.close())

/** An agent of the site, and what it shows at the listener. */
const enrolled = async (): Promise<GatewayAccess> => {
  const dataDir = `${folder.path}/gw`
  const token = parseToken(await site.token('gw-1'))
  if (!token.ok) throw new Error(token.refusal.message)
  const parts = { dataDir, knownRoot: undefined, adoptRoot: async () => undefined }
  const { gateway: url, ca, certificate: cert } = await enrol(parts, token.value)
  const key = await openTlsKey(dataDir)
  if (key === undefined) throw new Error('no key')
  return { url, ca, cert, key: key.pem }
}

const fetchWith = async (material: GatewayAccess, { sha256: digest, bytes } = wanted, signal = never) => {
  const store = await openStore({ folder: folder.path })
  const file = await store.openPartial(digest, bytes)
  if (!file.ok) throw new Error(file.refusal.code)
  const from = file.value.bytes()
  const outcome = await createHttpsTransfer({ access: () => material }).fetch(
    { sha256: digest, bytes },
    file.value,
    signal,
  )
  const brought = file.value.bytes()
  await file.value.close()
  return { outcome, from, brought, admit: () => store.admit(digest) }
}

/** A line to the listener that breaks once it has carried so many bytes of the answer. */
const breakAfter = async (bytes: number) => {
  const { port } = new URL(access.url)
  const server = createServer((near) => {
    const far = connect(Number(port), '127.0.0.1')
    let carried = 0
    for (const socket of [near, far]) socket.on('error', () => undefined)
    near.pipe(far)
    far.on('data', (chunk: Buffer) => {
      carried += chunk.byteLength
      near.write(chunk)
      if (carried > bytes) for (const socket of [near, far]) socket.destroy()
    })
    near.on('close', () => far.destroy())
    far.on('close', () => near.destroy())
  })
  await new Promise<void>((up) => server.listen(0, '127.0.0.1', up))
  return {
    url: `https://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () => new Promise((closed) => server.close(closed)),
  }
}

describe('an artifact over HTTPS', () => {
  test('comes whole, and is what was signed', async () => {
    const { outcome, admit } = await fetchWith(access)
    expect(outcome).toEqual({ ok: true, value: undefined })
    expect(await admit()).toMatchObject({ ok: true })
  })

  test('goes on at the byte where the line broke, as often as it breaks', async () => {
    const line = await breakAfter(900_000)
    let rounds = 0
    let brought = 0
    for (; brought < wanted.bytes && rounds < 20; rounds += 1) {
      const round = await fetchWith({ ...access, url: line.url })
      expect(round.from).toBe(brought)
      if (!round.outcome.ok) expect(round.outcome.refusal.code).toBe('FETCH_FAILED')
      brought = round.brought
    }
    await line.close()
    expect(rounds).toBeGreaterThan(2)
    const { outcome, admit } = await fetchWith(access)
    expect(outcome.ok).toBe(true)
    expect(await admit()).toMatchObject({ ok: true })
  })

  test('is not given to whoever shows no certificate', async () => {
    const { outcome } = await fetchWith({ url: access.url, ca: access.ca, cert: '', key: '' })
    expect(outcome).toMatchObject({ refusal: { code: 'FETCH_FAILED' } })
  })

  test('is not taken from whoever another authority vouches for', async () => {
    const foreign = await startTrustedSite('south')
    await foreign.offer(wanted.sha256, artifact)
    const { ca } = access
    const token = parseToken(await foreign.token('gw-1'))
    const url = token.ok ? token.value.url : ''
    const { outcome, brought } = await fetchWith({ ...access, url, ca })
    await foreign.close()
    expect(outcome).toMatchObject({ refusal: { code: 'FETCH_FAILED' } })
    expect(brought).toBe(0)
  })

  test.each([
    ['longer', 100, 'TOO_LARGE'],
    ['shorter', -100, 'BAD_DIGEST'],
  ] as const)('that is %s than what was signed is not taken', async (_, more, code) => {
    const { outcome, brought } = await fetchWith(access, { ...wanted, bytes: wanted.bytes - more })
    expect(outcome).toMatchObject({ refusal: { code } })
    expect(brought).toBe(0)
  })

  test('that was exchanged comes, and gets no name', async () => {
    const digest = 'e'.repeat(64)
    await site.offer(digest, artifact)
    const { outcome, admit } = await fetchWith(access, { sha256: digest, bytes: wanted.bytes })
    expect(outcome.ok).toBe(true)
    expect(await admit()).toMatchObject({ refusal: { code: 'BAD_DIGEST' } })
  })

  test('stops with its signal, and nobody listens where nobody is', async () => {
    expect((await fetchWith(access, wanted, AbortSignal.abort())).outcome).toMatchObject({
      refusal: { code: 'FETCH_FAILED' },
    })
    expect((await fetchWith({ ...access, url: 'https://127.0.0.1:9' })).outcome).toMatchObject({
      refusal: { code: 'FETCH_FAILED' },
    })
  })
})
