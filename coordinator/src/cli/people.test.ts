import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createApp } from '../api/routes.http.ts'
import { startServer, type HttpServer } from '../api/server.http.ts'
import type { People } from '../api/people/people.ts'
import { createControlFixture } from '../api/testing/control-fixture.ts'
import { openTestPeople, testPassword } from '../api/testing/open-test-people.kysely.ts'
import { commands } from './commands.ts'
import { openContext } from './context.process.ts'
import { runProgram } from './program.commander.ts'

let folder: string
let dataDir: string
let server: HttpServer
let people: People

const imlma = async (environment: Record<string, string>, ...words: string[]) => {
  let out = ''
  let err = ''
  const say = (text: string) => (err += `${text}\n`)
  const code = await runProgram(
    {
      commands,
      open: (options) =>
        openContext({ folder, environment: { IMLMA_URL: server.url, ...environment }, options }, say),
      terminal: { out: (text) => (out += text), err: (text) => (err += text) },
    },
    words,
  )
  return { code, out, err }
}
const local = (...words: string[]) => imlma({ IMLMA_DATA_DIR: dataDir }, ...words)

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'imlma-cli-people-'))
  dataDir = join(folder, 'state')
  await mkdir(dataDir)
  const store = await openTestPeople()
  people = store.people
  await writeFile(join(dataDir, 'operator-token'), `${people.localToken('operate')}\n`)
  await writeFile(join(dataDir, 'administrator-token'), `${people.localToken('administer')}\n`)
  const assets = { importMapHash: '', find: async () => undefined }
  const app = createApp(
    { control: createControlFixture({ now: store.now() }), assets, people, now: store.now },
    { version: '0.1.0', loopbackOnly: true },
  )
  server = await startServer(app, { host: '127.0.0.1', port: 0 })
})
afterAll(async () => {
  await server.close()
  await rm(folder, { recursive: true })
})

test('whoever may read the data directory lets people in, gives roles and locks them out', async () => {
  const added = await local('users', 'add', 'nguyen', '--role', 'operator')
  expect([added.code, added.err]).toEqual([0, ''])
  const [, secret = ''] = /#setup=(\S+)/.exec(added.out) ?? []
  expect(await people.setUp(secret, testPassword, 'inside')).toMatchObject({ ok: true })
  expect((await local('users', 'list')).out).toMatch(/nguyen +operator +active/)
  expect((await local('users', 'role', 'nguyen', 'viewer')).out).toBe('nguyen is viewer, active\n')
  expect((await local('users', 'disable', 'nguyen')).out).toBe('nguyen is viewer, disabled\n')
  expect((await local('users', 'enable', 'nguyen')).out).toBe('nguyen is viewer, active\n')
  expect((await local('users', 'reset', 'nguyen')).out).toContain('#setup=imlma_setup_')
  expect((await local('users', 'list', '--json')).out).toContain('"state": "invited"')
})

test('a token of a machine works until it is revoked, and as far as its scope', async () => {
  const made = await local('tokens', 'new', 'pipeline', '--scope', 'read', '--days', '1', '--json')
  const { secret, token } = JSON.parse(made.out) as { secret: string; token: { id: string } }
  const away = (...words: string[]) => imlma({ IMLMA_TOKEN: secret }, ...words)
  expect((await away('status')).code).toBe(0)
  expect((await imlma({}, 'status', '--token', secret)).code).toBe(0)
  expect((await away('retrain', 'load-day-ahead', '--reason', 'x')).err).toMatch(
    /^NOT_AUTHORISED: token:pipeline may not/,
  )
  expect((await away('users', 'list')).err).toMatch(/^NOT_AUTHORISED: /)
  expect((await local('tokens', 'list')).out).toMatch(new RegExp(`${token.id} +pipeline +read +valid`))
  expect((await local('tokens', 'revoke', token.id)).out).toContain('is revoked')
  expect((await away('status')).err).toMatch(/^TOKEN_UNKNOWN: /)
})

test.each([
  [['users', 'add', 'nguyen', '--role', 'king'], /^USAGE: king is no role/],
  [['users', 'add', 'UPPER'], /^MALFORMED: /],
  [['users', 'disable', 'nobody'], /^UNKNOWN_USER: /],
  [['tokens', 'new', 'x', '--scope', 'everything'], /^USAGE: /],
  [['tokens', 'new', 'x', '--days', '1000'], /^USAGE: /],
  [['tokens', 'revoke', '0'.repeat(12)], /^UNKNOWN_TOKEN: /],
])('imlma %j is refused', async (words, expected) => {
  const { code, err } = await local(...words)
  expect([code !== 0, err]).toEqual([true, expect.stringMatching(expected)])
})

test('without a token nothing is told, and the tokens of this machine go to no other', async () => {
  expect((await imlma({ IMLMA_DATA_DIR: folder }, 'agents')).err).toMatch(/^LOGIN_NEEDED: /)
  const { readProof, readSettings } = await import('./settings.fs.ts')
  const proofFor = async (url: string) => {
    const sources = { folder, environment: { IMLMA_DATA_DIR: dataDir }, options: { url } }
    return readProof(await readSettings(sources), sources)
  }
  expect((await proofFor('http://127.0.0.1:4600')).token).toBeDefined()
  for (const url of [
    'https://control.example',
    'http://127.0.0.1.example:4600',
    'http://localhost@evil.example',
    'no url',
  ]) {
    expect(await proofFor(url)).toEqual({ token: undefined, administratorToken: undefined })
  }
})
