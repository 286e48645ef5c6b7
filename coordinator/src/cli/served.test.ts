import { expect, test } from 'vitest'
import type { ApiClient } from './client.http.ts'
import { findByAgent, findByDigest } from './served.ts'

const [one, two, foreign] = ['1', '2', 'f'].map((digit) => digit.repeat(64)) as [string, string, string]
const serving = (agent: string, sha256: string | null, model = 'load') => ({
  agent,
  models: [{ model, sha256 }],
})
const client = {
  models: async () => [{ model: 'load' }, { model: 'heat' }],
  versions: async (model: string) => [
    { version: model === 'load' ? 1 : 7, artifact: { sha256: model === 'load' ? one : two } },
  ],
  agents: async () => [
    serving('gw-1', one),
    serving('gw-2', null),
    serving('gw-3', foreign),
    serving('gw-4', two),
  ],
} as unknown as ApiClient

test('a version is found by its bytes, in whichever model', async () => {
  expect(await findByDigest(client, two.toUpperCase())).toEqual({
    ok: true,
    value: [{ model: 'heat', version: 7 }],
  })
  expect(await findByAgent(client, 'gw-1')).toEqual({ ok: true, value: [{ model: 'load', version: 1 }] })
})

test.each([
  [() => findByDigest(client, foreign), 'UNKNOWN_DIGEST'],
  [() => findByDigest(client, 'v6'), 'USAGE'],
  [() => findByAgent(client, 'gw-9'), 'UNKNOWN_AGENT'],
  [() => findByAgent(client, 'gw-2'), 'NOTHING_SERVED'],
  [() => findByAgent(client, 'gw-3'), 'UNKNOWN_DIGEST'],
  [() => findByAgent(client, 'gw-4'), 'WRONG_MODEL'],
])('what was not made here is not explained (%#)', async (find, code) => {
  expect(await find()).toMatchObject({ ok: false, refusal: { code } })
})
