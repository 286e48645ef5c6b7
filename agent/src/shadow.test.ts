/** A challenger in shadow in a real agent process: it is compared, it answers nobody, and it survives a kill. */

import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest'
import type { ComparedDay } from '@imlma/protocol/wire'
import { startControlCentre, type ControlCentre } from './serving/testing/control-centre.aedes.ts'
import { spawnAgent, type SpawnedAgent } from './serving/testing/spawn-agent.child.ts'
import { tinyContract } from './serving/testing/tiny-contract.ts'
import { layersOf, type Dense } from './serving/testing/tiny-model.ts'

const contract = tinyContract({ features: 8, horizon: 4, unit: 'kWh' })
/** Version 2 forecasts nothing but zeros: its errors are the actuals themselves. */
const layer = (version: number): Dense => layersOf([8, 4], version === 1 ? 0.1 : 0)[0] as Dense

let folder: string
let centre: ControlCentre
const agents: SpawnedAgent[] = []
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'imlma-shadow-'))
  centre = await startControlCentre()
  await writeFile(join(folder, 'root.json'), JSON.stringify(centre.root))
  const feed = {
    kind: 'simulated',
    name: 'feed',
    meters: 20,
    speed: 9_000,
    historyDays: 2,
    register: contract.register,
  }
  await writeFile(join(folder, 'config.json'), JSON.stringify({ sources: [feed], reportEveryMs: 300 }))
})
afterEach(async () => {
  for (const agent of agents.splice(0)) await agent.end('SIGKILL')
})
afterAll(async () => {
  await centre.close()
  await rm(folder, { recursive: true })
})

const start = (name: string): SpawnedAgent => {
  const agent = spawnAgent(
    [
      ['--name', name, '--site', centre.site, '--broker', centre.url, '--port', '0', '--log', 'warn'],
      ['--root', join(folder, 'root.json'), '--data-dir', join(folder, name)],
      ['--config', join(folder, 'config.json')],
    ].flat(),
  )
  agents.push(agent)
  return agent
}
const until = (condition: () => unknown) => vi.waitUntil(condition, { timeout: 9_000, interval: 20 })

test('a challenger in shadow is compared on live readings, answers nobody, and goes on after a kill', async () => {
  const first = start('gw-1')
  const url = await first.up
  const said = centre.of('gw-1')
  const shadow = () => said.reported?.models['load']?.shadow
  const compared = () => said.reports.flatMap(({ comparisons }) => comparisons ?? [])
  const daysOf = (): readonly ComparedDay[] => compared().flatMap(({ days }) => days)
  await until(() => said.presence?.state === 'online' && said.batches.size > 0)
  expect(said.presence?.capabilities).toContain('shadow')

  const champion = centre.release(1, layer(1), contract)
  const challenger = centre.release(2, layer(2), contract, { mode: 'shadow' })
  centre.assign('gw-1', champion)
  await until(() => said.reported?.models['load']?.phase === 'idle')
  centre.assign('gw-1', champion, challenger)
  await until(() => shadow()?.state === 'running')
  await until(() => daysOf().reduce((sum, { count }) => sum + count, 0) > 200)

  expect(compared()[0]).toMatchObject({
    model: 'load',
    champion: 1,
    challenger: 2,
    challengerSha256: challenger.sha256,
  })
  for (const { count, failures, champion: own, challenger: other, actual } of daysOf()) {
    expect(failures).toBe(0)
    // Layers of zeros forecast their bias: the cosine of a scale of zero.
    expect(other.squared).toBeCloseTo(actual.squared, 3)
    expect(other.absolute).toBeCloseTo(actual.sum, 3)
    expect(count).toBeGreaterThan(0)
    expect(own.squared).not.toBe(other.squared)
  }
  const windows = said.reports.flatMap(({ versions }) => versions)
  expect(windows.some(({ version, shadow: isShadow, runs }) => version === 2 && isShadow && runs > 0)).toBe(
    true,
  )
  expect(windows.every(({ version, shadow: isShadow }) => (version === 2) === (isShadow === true))).toBe(true)

  const body = JSON.stringify({
    inputs: [{ name: 'features', shape: [1, 8], datatype: 'FP32', data: [1, 1, 1, 1, 1, 1, 1, 1] }],
  })
  const infer = (path: string) => fetch(`${url}/v2/models/load${path}/infer`, { method: 'POST', body })
  expect(await (await infer('')).json()).toMatchObject({ model_version: '1' })
  expect((await infer('/versions/2')).status).toBe(404)
  const forecasts = (await (await fetch(`${url}/forecasts?model=load`)).json()) as {
    forecasts: readonly { version: number }[]
  }
  expect(new Set(forecasts.forecasts.map(({ version }) => version))).toEqual(new Set([1]))
  expect(await (await fetch(`${url}/metrics`)).text()).toContain('imlma_agent_shadow_version{model="load"} 2')

  await first.end('SIGKILL')
  said.reports.length = 0
  await start('gw-1').up
  await until(() => shadow()?.state === 'running' && daysOf().length > 0)
  expect(said.reported?.models['load']).toMatchObject({ active: { version: 1 }, quarantined: [] })

  // What was signed for shadow only is not served, whoever assigns it.
  centre.assign('gw-1', challenger)
  await until(() => said.reported?.models['load']?.outcome?.reason === 'SHADOW_ONLY')
  expect(said.reported?.models['load']).toMatchObject({ active: { version: 1 }, shadow: null })
}, 40_000)
