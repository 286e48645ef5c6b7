import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { encodeBadModel } from './serving/testing/bad-model.ts'
import { startControlCentre, type ControlCentre } from './serving/testing/control-centre.aedes.ts'
import { spawnAgent, type SpawnedAgent } from './serving/testing/spawn-agent.child.ts'
import { tinyContract } from './serving/testing/tiny-contract.ts'
import { layersOf, type Dense } from './serving/testing/tiny-model.ts'

const contract = tinyContract({ features: 8, horizon: 4 })
const layer = layersOf([8, 4], 0.1)[0] as Dense

interface Status {
  readonly workers: readonly { readonly version: number; readonly pid?: number; readonly restarts: number }[]
}
interface Inferred {
  readonly model_version: string
  readonly parameters: { readonly made_by: string; readonly sha256?: string }
  readonly outputs: readonly { readonly data: readonly number[] }[]
}

let folder: string
let centre: ControlCentre
let agent: SpawnedAgent
let url: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'imlma-agent-'))
  centre = await startControlCentre()
  await writeFile(join(folder, 'root.json'), JSON.stringify(centre.root))
  await writeFile(join(folder, 'config.json'), JSON.stringify({ inference: { runMsMin: 300 } }))
  const files = ['--root', join(folder, 'root.json'), '--config', join(folder, 'config.json')]
  const names = ['--name', 'gw-1', '--site', centre.site, '--broker', centre.url]
  const more = ['--port', '0', '--log', 'error', '--data-dir', join(folder, 'gw-1')]
  agent = spawnAgent([...names, ...files, ...more])
  url = await agent.up
})
afterAll(async () => {
  await agent.end('SIGKILL')
  await centre.close()
  await rm(folder, { recursive: true })
})

const until = (condition: () => unknown) => vi.waitUntil(condition, { timeout: 9_000, interval: 20 })
const status = async (): Promise<Status> => (await fetch(`${url}/status`)).json() as Promise<Status>
const infer = async (first: number): Promise<Inferred> => {
  const data = [first, 2, 3, 4, 5, 6, 7, 8]
  const body = JSON.stringify({ inputs: [{ name: 'features', shape: [1, 8], datatype: 'FP32', data }] })
  const answer = await fetch(`${url}/v2/models/load/infer`, { method: 'POST', body })
  expect(answer.status).toBe(200)
  return answer.json() as Promise<Inferred>
}
const serves = (version: number) => () => {
  const model = centre.of('gw-1').reported?.models['load']
  return model?.phase === 'idle' && model.active?.version === version
}

test(
  'a champion that hangs costs its worker only; the baseline answers, and the third time the version before it serves',
  { timeout: 40_000 },
  async () => {
    await until(() => centre.of('gw-1').reported !== undefined)
    const good = centre.release(1, layer, contract)
    centre.assign('gw-1', good)
    await until(serves(1))
    const reference = { ...good.manifest.reference, latencyMsBudget: 60 }
    const bad = centre.release(2, layer, contract, { reference }, encodeBadModel('hang', layer))
    centre.assign('gw-1', bad)
    await until(serves(2))
    expect(await infer(1)).toMatchObject({
      model_version: '2',
      parameters: { made_by: 'model', sha256: bad.sha256 },
    })

    for (const restarts of [1, 2]) {
      // Each step of the answer is the value four steps, a season, before it.
      expect(await infer(1e15)).toMatchObject({
        model_version: '0',
        parameters: { made_by: 'baseline' },
        outputs: [{ data: [4, 3, 2, 1e15].map(Math.fround) }],
      })
      await until(async () =>
        (await status()).workers.some((worker) => worker.restarts === restarts && worker.pid),
      )
      expect(await infer(1)).toMatchObject({ model_version: '2' })
    }
    const metrics = await (await fetch(`${url}/metrics`)).text()
    expect(metrics).toContain(`imlma_agent_worker_restarts_total{digest="${bad.sha256}"} 2`)
    expect(metrics).toContain('imlma_agent_workers_lost_total{cause="hung"} 2')
    expect(metrics).toContain('imlma_agent_stood_in_total{made_by="baseline"} 2')

    expect(await infer(1e15)).toMatchObject({ parameters: { made_by: 'baseline' } })
    // While it is being loaded, the model has no version to ask.
    const served = async (): Promise<boolean> => (await fetch(`${url}/v2/models/load/versions/1`)).ok
    await until(served)
    expect(await infer(1e15)).toMatchObject({ parameters: { made_by: 'model', sha256: good.sha256 } })
    await until(serves(1))
    expect(centre.of('gw-1').reported?.models['load']).toMatchObject({ quarantined: [bad.sha256] })
    expect(centre.of('gw-1').alarms.map(({ evidence }) => evidence['code'])).toContain('QUARANTINED')
    expect(agent.process.exitCode).toBeNull()
  },
)
