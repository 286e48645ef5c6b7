/**
 * How fast does an agent answer after its start, and how much memory does it keep? Real processes: one gets a model from
 * a control centre in this process; then it is started again and again on the same directory, and timed from `spawn`
 * to the first answered request and to the first forecast; then it serves 1,000 meters at an accelerated clock.
 *
 *   node scripts/benchmark/agent.ts [--rounds 5] [--seconds 20] [--meters 1000]
 */

import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { layersOf, tinyContract, type Dense } from '@imlma/agent/serving/testing'
import { spawnAgent, startControlCentre, type SpawnedAgent } from '@imlma/agent/serving/testing/processes'

const { values: given } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '20' },
    meters: { type: 'string', default: '1000' },
  },
})
const rounds = Math.max(5, Number(given.rounds))
const seconds = Number(given.seconds)
const meters = Number(given.meters)
const settleS = 20
const bars = { startMsMax: 1_500, residentMBMax: 110 }

const contract = tinyContract({ features: 96, horizon: 96, seasonSteps: 96, unit: 'kWh' })
const layer = layersOf([96, 96], 0.01)[0] as Dense

const median = (list: readonly number[]): number =>
  list.toSorted((a, b) => a - b)[Math.floor(list.length / 2)] as number

const until = async (condition: () => Promise<boolean> | boolean): Promise<void> => {
  const givenUpAt = performance.now() + 60_000
  while (!(await condition())) {
    if (performance.now() > givenUpAt) throw new Error('waited a minute in vain')
    await pause(2)
  }
}

const request = JSON.stringify({
  inputs: [{ name: 'features', shape: [1, 96], datatype: 'FP32', data: Array.from({ length: 96 }, () => 1) }],
})

/**
 * Memory of a process as the kernel counts it, in megabytes. `resident`, with what its workers add, is what the bar is about; of it `file` are pages
 * of programs and libraries that the kernel can drop and read again, and `private` is what ends with the process; `share`
 * counts pages that several processes have in parts (three agents on one machine share Node's).
 */
interface Memory {
  readonly residentMB: number
  readonly fileMB: number
  readonly privateDirtyMB: number
  readonly shareMB: number
}

const memoryOf = async (pid: number): Promise<Memory> => {
  const text = await readFile(`/proc/${pid}/smaps_rollup`, 'utf8')
  const of = (field: string): number =>
    Number(new RegExp(`^${field}:\\s+(\\d+)`, 'm').exec(text)?.[1]) / 1_024
  return {
    residentMB: of('Rss'),
    fileMB: of('Rss') - of('Anonymous'),
    privateDirtyMB: of('Private_Dirty'),
    shareMB: of('Pss'),
  }
}

/** What a worker adds to its agent: Node's own pages are the agent's already. */
const addedBy = async (pid: number): Promise<number> => {
  const text = await readFile(`/proc/${pid}/smaps_rollup`, 'utf8')
  const of = (field: string): number => Number(new RegExp(`^${field}:\\s+(\\d+)`, 'm').exec(text)?.[1])
  return (of('Private_Clean') + of('Private_Dirty')) / 1_024
}

const workersOf = async (agent: SpawnedAgent): Promise<readonly number[]> => {
  const status = (await (await fetch(`${await agent.up}/status`)).json()) as { workers: { pid?: number }[] }
  return status.workers.flatMap(({ pid }) => pid ?? [])
}

const peakOf = async (pid: number): Promise<number> =>
  Number(/VmHWM:\s+(\d+)/.exec(await readFile(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1_024

const folder = await mkdtemp(join(tmpdir(), 'imlma-benchmark-'))
const centre = await startControlCentre()
await writeFile(join(folder, 'root.json'), JSON.stringify(centre.root))
const feed = {
  kind: 'simulated',
  name: 'feed',
  meters,
  speed: 1_800,
  historyDays: 7,
  register: contract.register,
}
await writeFile(join(folder, 'config.json'), JSON.stringify({ sources: [feed] }))

const start = (...more: readonly string[]): SpawnedAgent =>
  spawnAgent([
    ...[
      '--name',
      'gw-1',
      '--site',
      centre.site,
      '--broker',
      centre.url,
      '--port',
      '0',
      '--log',
      'error',
    ].concat(more),
    ...['--root', join(folder, 'root.json')].concat('--data-dir', join(folder, 'gw-1')),
  ])

const install = async (): Promise<void> => {
  const agent = start('--config', join(folder, 'config.json'))
  await agent.up
  centre.assign('gw-1', centre.release(1, layer, contract))
  await until(() => centre.of('gw-1').reported?.models['load']?.phase === 'idle')
  await until(() => centre.of('gw-1').batches.size > 0)
  await pause(1_000)
  await agent.end()
}

const timeStart = async () => {
  const startedAt = performance.now()
  const agent = start()
  const url = await agent.up
  const upMs = performance.now() - startedAt
  const answer = await fetch(`${url}/v2/models/load/infer`, { method: 'POST', body: request })
  if (answer.status !== 200) throw new Error(await answer.text())
  const inferMs = performance.now() - startedAt
  await until(
    async () => ((await (await fetch(`${url}/forecasts?limit=1`)).json()) as { total: number }).total > 0,
  )
  const forecastMs = performance.now() - startedAt
  await agent.end()
  return { upMs, inferMs, forecastMs }
}

/** A steady state: the first `settleS` seconds after the start do not count. */
const watchMemory = async (more: readonly string[]) => {
  const agent = start(...more)
  await agent.up
  const pid = agent.process.pid as number
  await pause(settleS * 1_000)
  const samples: (Memory & { workersMB: number })[] = []
  while (samples.length < seconds) {
    let workersMB = 0
    for (const worker of await workersOf(agent)) workersMB += await addedBy(worker)
    samples.push({ ...(await memoryOf(pid)), workersMB })
    await pause(1_000)
  }
  const peakMB = Math.round(await peakOf(pid))
  const status = (await (await fetch(`${await agent.up}/status`)).json()) as { forecasts: object }
  await agent.end()
  const of = (pick: (one: (typeof samples)[number]) => number): number =>
    Math.round(median(samples.map(pick)))
  const wholeOf = ({ residentMB, workersMB }: (typeof samples)[number]): number => residentMB + workersMB
  return {
    residentMB: of(wholeOf),
    residentMBMax: Math.round(Math.max(...samples.map(wholeOf))),
    agentMB: of((one) => one.residentMB),
    workersMB: of((one) => one.workersMB),
    fileMB: of((one) => one.fileMB),
    privateDirtyMB: of((one) => one.privateDirtyMB),
    shareMB: of((one) => one.shareMB),
    peakMB,
    forecasts: status.forecasts,
  }
}

try {
  await install()
  const starts: Awaited<ReturnType<typeof timeStart>>[] = []
  for (let round = 0; round < rounds; round++) starts.push(await timeStart())
  const of = (pick: (one: (typeof starts)[number]) => number): number => Math.round(median(starts.map(pick)))
  const startMs = {
    up: of((s) => s.upMs),
    firstInfer: of((s) => s.inferMs),
    firstForecast: of((s) => s.forecastMs),
  }
  // What the feed inside the agent costs is the difference: a gateway's readings come from outside.
  const memory = await watchMemory(['--config', join(folder, 'config.json')])
  const withoutFeed = await watchMemory([])
  const held = {
    start: startMs.firstForecast <= bars.startMsMax,
    memory: memory.residentMBMax <= bars.residentMBMax,
  }
  console.log(
    JSON.stringify(
      { benchmark: 'agent', rounds, meters, startMs, memory, withoutFeed, bars, held },
      undefined,
      2,
    ),
  )
} finally {
  await centre.close()
  await rm(folder, { recursive: true })
}
