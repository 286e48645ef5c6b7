import { cp, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { sha256 } from '@imlma/protocol/node'
import { canonicalJson, parseToken } from '@imlma/protocol/trust'
import { establishTrust } from '../trust/establish.fs.ts'
import { openDeniedList } from '../trust/pki/denied.fs.ts'
import { startTestSite, enrolAs, type TestSite } from '../trust/pki/testing/site.fs.ts'
import { commands } from './commands.ts'
import { openContext } from './context.process.ts'
import { createPki } from './pki.fs.ts'
import { runProgram } from './program.commander.ts'

let folder: string
let dataDir: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'imlma-cli-pki-'))
})
afterAll(() => rm(folder, { recursive: true }))
beforeEach(async () => {
  dataDir = await mkdtemp(join(folder, 'data-'))
})

const imlma = async (...words: string[]) => {
  let out = ''
  let err = ''
  const terminal = { out: (text: string) => (out += text), err: (text: string) => (err += text) }
  const open = () =>
    openContext({ folder, environment: {}, options: { dataDir, site: 'north' } }, (line) => (err += line))
  const code = await runProgram({ commands, open, terminal }, words)
  return { code, out, err }
}

test('the authority is made once, and shown', async () => {
  expect(await imlma('pki', 'show')).toMatchObject({ code: 1, err: expect.stringContaining('PKI_MISSING') })
  expect((await imlma('pki', 'init')).out).toContain('made')
  expect((await imlma('pki', 'init')).out).toContain('nothing was changed')
  const shown = JSON.parse((await imlma('pki', 'show', '--json')).out) as object
  expect(shown).toMatchObject({ site: 'north', gateway: null })
})

test('a token names the site, the listener, the authority and the first trust root', async () => {
  await imlma('pki', 'init')
  const { chain } = await establishTrust(join(dataDir, 'trust'), { now: Date.now() })
  const { out } = await imlma('pki', 'token', '--agent', 'gw-1', '--gateway', 'https://centre.example:8443')
  const { fingerprint } = JSON.parse((await imlma('pki', 'show', '--json')).out) as { fingerprint: string }
  expect(parseToken(out)).toMatchObject({
    value: {
      url: 'https://centre.example:8443',
      site: 'north',
      agent: 'gw-1',
      ca: fingerprint,
      root: sha256(canonicalJson(chain.envelopes()[0])),
    },
  })
  expect((await imlma('pki', 'list')).out).toMatch(/gw-1 .* open/)
})

test.each([
  ['no agent', ['token'], 2],
  ['a name that is none', ['token', '--agent', '../x'], 2],
  ['a span that is none', ['token', '--agent', 'gw-1', '--valid', 'long'], 2],
  ['a span that is too long', ['token', '--agent', 'gw-1', '--valid', '31d'], 2],
  ['a listener without TLS', ['token', '--agent', 'gw-1', '--gateway', 'http://centre'], 2],
  ['no reason', ['deny', '--agent', 'gw-1'], 2],
  ['nobody to deny', ['deny', '--reason', 'why'], 2],
  ['two to deny', ['deny', '0'.repeat(32), '--agent', 'gw-1', '--reason', 'why'], 2],
  ['a serial that is none', ['deny', '../../ca', '--reason', 'why'], 2],
  ['an agent without certificates', ['deny', '--agent', 'gw-1', '--reason', 'why'], 1],
  ['a listener that nobody knows', ['token', '--agent', 'gw-1'], 1],
])('%s is refused', async (_, words, code) => {
  await imlma('pki', 'init')
  expect((await imlma('pki', ...words)).code).toBe(code)
})

let site: TestSite | undefined
afterEach(async () => {
  await site?.close()
  site = undefined
})

test('an agent is denied with all its certificates at once', async () => {
  site = await startTestSite()
  await enrolAs(site, 'gw-1')
  await enrolAs(site, 'gw-1')
  await enrolAs(site, 'gw-2')
  await cp(site.folder, join(dataDir, 'trust'), { recursive: true })
  const { out } = await imlma('pki', 'deny', '--agent', 'gw-1', '--reason', 'stolen', '--json')
  expect((JSON.parse(out) as { serials: string[] }).serials).toHaveLength(2)
  expect(openDeniedList(join(dataDir, 'trust', 'pki'))().size).toBe(2)
  const { certificates } = await createPki(dataDir, Date.now).list()
  expect(certificates.map(({ agent, denied }) => [agent, denied?.reason])).toEqual([
    ['gw-1', 'stolen'],
    ['gw-1', 'stolen'],
    ['gw-2', undefined],
  ])
})
