import { chmod, stat } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openReadingsReader } from '@imlma/coordinator/storage/readings'
import { createFolder, scripts, type Folder } from './house/places.fs.ts'
import { runProgram } from './house/program.process.ts'
import { createScene, type Scene } from './house/scene.process.ts'
import { until } from './house/until.timer.ts'

const hourMs = 3_600_000

const definition = {
  name: 'load',
  quantity: 'active energy',
  unit: 'kWh',
  register: '1-0:1.29.0',
  intervalMs: hourMs,
  horizon: 24,
  trigger: { volume: 1_000_000, intervalMs: 86_400_000, readingsMin: 1_000_000, coolDownMs: 0 },
}

/** Five hours of readings a second. */
const feed = {
  kind: 'simulated',
  name: 'feed',
  seed: 1,
  liveFrom: Date.UTC(2025, 2, 3),
  meters: ['meter-001'],
  intervalMs: hourMs,
  historyDays: 2,
  speed: 18_000,
}

let folder: Folder
let scene: Scene
beforeAll(async () => {
  folder = await createFolder('certificate')
  scene = await createScene(folder)
})
afterAll(async () => {
  await scene.stop()
  await folder.remove()
})

interface Certificates {
  readonly certificates: readonly { readonly denied: { readonly reason: string } | null }[]
}

const stored = () => {
  const reader = openReadingsReader(`${scene.dataDir}/readings.db`)
  try {
    const [series] = reader.series({})
    const [coverage] = reader.coverage()
    return series && coverage && { series, coverage }
  } finally {
    reader.close()
  }
}

test('a running agent takes up a certificate that it was given beside it, and loses no reading', async () => {
  await scene.startControl(definition)
  await scene.startAgent('gw-1', feed)
  await until('readings come in', () => (stored()?.series.filled ?? 0) > 60)

  const { token } = (await scene.imlma('pki token', { agent: 'gw-1' })) as { token: string }
  const own = `${scene.dataDir}/agents/gw-1`
  const enrolled = runProgram(scripts.agent, ['enrol', token, '--data-dir', own], folder.path)
  expect(await enrolled.succeeds()).toMatch(/^gw-1 of demo\ncertificate until/)

  // The older one is denied when the new one is first used, and a denied one is cut off.
  await until('the older certificate is denied', async () => {
    const { certificates } = (await scene.imlma('pki list')) as Certificates
    return certificates.length === 2 && certificates.filter(({ denied }) => denied !== null).length === 1
  })
  const since = stored()?.series.filled ?? 0
  await until('readings go on', () => (stored()?.series.filled ?? 0) > since + 30)
  const { series, coverage } = stored() ?? {}
  expect(series?.filled).toBe(((series?.lastAt ?? 0) - (series?.firstAt ?? 0)) / hourMs + 1)
  expect(coverage).toMatchObject({ lost: 0 })

  const again = runProgram(scripts.agent, ['enrol', token, '--data-dir', `${own}-thief`], folder.path)
  expect(await again.ended).toMatchObject({ code: 1 })
  expect(again.err()).toMatch(/^TOKEN_USED: .*\n {2}make a new one: imlma pki token --agent gw-1/)
  const who = runProgram(scripts.agent, ['identity', '--data-dir', `${own}-thief`], folder.path)
  expect(await who.ended).toMatchObject({ code: 1 })
  expect(who.err()).toMatch(/^NO_IDENTITY/)
})

describe('a start', () => {
  const own = () => `${scene.dataDir}/agents/gw-1`
  const start = (...more: readonly string[]) =>
    runProgram(scripts.agent, ['--data-dir', own(), '--port', '0', ...more], folder.path)

  test('needs nothing but the directory, where the token was used and its file deleted', async () => {
    await expect(stat(`${own()}.token`)).rejects.toMatchObject({ code: 'ENOENT' })
    await scene.kill('gw-1')
    const agent = start('--enrol-file', `${own()}.token`)
    await agent.says(/"event":"up","name":"gw-1"/)
    await until('it is connected', () => agent.err().includes('connected to the broker'))
    await agent.dispose()
  })

  test('goes on with the identity that is there when a new token is good for nothing', async () => {
    const { token } = (await scene.imlma('pki token', { agent: 'gw-1' })) as { token: string }
    await scene.kill('control')
    const agent = start('--enrol', token)
    await agent.says(/"event":"up","name":"gw-1"/)
    expect(agent.err()).toContain('GATEWAY_UNREACHABLE')
    await agent.dispose()
  })

  test.each([
    ['under another name', ['--name', 'gw-2'], 'WRONG_TARGET'],
    ['with a key that others can read', [], 'KEY_EXPOSED'],
    ['of a directory that is nobody', ['--data-dir', 'nobody'], 'NO_NAME'],
  ])('is refused %s, and says what to do', async (_how, args, code) => {
    if (code === 'KEY_EXPOSED') await chmod(`${own()}/identity/key.pem`, 0o644)
    const agent = start(...args)
    expect(await agent.ended).toMatchObject({ code: 1 })
    expect(agent.err()).toMatch(new RegExp(`"code":"${code}","hint":"\\w`))
  })
})
