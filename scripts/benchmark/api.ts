/**
 * How many requests does the local API of a real agent answer, and how long does one take, at 1, 8, 64 and 256
 * connections? Side by side with FastAPI and ONNX Runtime, in rounds that alternate, by the same load generator in a
 * process of its own; the median round counts. Without a Python that has them, the reference figure stands in.
 *
 *   node scripts/benchmark/api.ts [--rounds 5] [--seconds 3] [--python python3]
 *
 * The peer needs: python3 -m venv DIR && DIR/bin/pip install fastapi uvicorn uvloop httptools onnxruntime
 */

import { fork, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import { loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { encodeTinyModel, layersOf, tinyContract, type Dense } from '@imlma/agent/serving/testing'
import { spawnAgent, startControlCentre } from '@imlma/agent/serving/testing/processes'
import type { LoadMeasured, LoadTask } from './api/load.child.ts'

const { values: given } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '3' },
    python: { type: 'string', default: 'python3' },
  },
})
const rounds = Math.max(1, Number(given.rounds))
const measureMs = Number(given.seconds) * 1_000
const levels = [1, 8, 64, 256]
/** Requests a second of FastAPI with ONNX Runtime at 64 connections, where none can be measured. */
const referencePerSecond = 6_700
const bars = { timesPeerMin: 6, p99OverP50Max: 3 }

const features = 24
const layer = layersOf([features, features], 0.01)[0] as Dense
const path = '/v2/models/load/infer'
const row = Float32Array.from({ length: features }, (_, i) => i / 7)
const tensor = { name: 'features', shape: [1, features], datatype: 'FP32' }

type Request = Pick<LoadTask, 'contentType' | 'body' | 'headers'>
const asText: Request = {
  contentType: 'application/json',
  body: Buffer.from(JSON.stringify({ inputs: [{ ...tensor, data: [...row] }] })).toString('base64'),
}
const document = Buffer.from(
  JSON.stringify({
    inputs: [{ ...tensor, parameters: { binary_data_size: row.byteLength } }],
    parameters: { binary_data_output: true },
  }),
)
const asBytes: Request = {
  contentType: 'application/octet-stream',
  headers: { 'Inference-Header-Content-Length': String(document.length) },
  body: Buffer.concat([document, Buffer.from(row.buffer)]).toString('base64'),
}

const median = (list: readonly number[]): number =>
  list.toSorted((a, b) => a - b)[Math.floor(list.length / 2)] as number
const round = (value: number): number => Math.round(value * 100) / 100

const freePort = async (): Promise<number> => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

/** Processor time of a process so far. */
const cpuMsOf = async (pid: number): Promise<number> => {
  const [, fields = ''] = (await readFile(`/proc/${pid}/stat`, 'utf8')).split(') ')
  const [user, system] = fields.split(' ').slice(11, 13).map(Number) as [number, number]
  return (user + system) * 10
}

const load = async (port: number, connections: number, request: Request): Promise<LoadMeasured> => {
  const child = fork(join(import.meta.dirname, 'api', 'load.child.ts'))
  child.send({ ...request, port, path, connections, warmUpMs: 1_500, measureMs } satisfies LoadTask)
  const [measured] = (await once(child, 'message')) as [LoadMeasured]
  return measured
}

interface Server {
  readonly name: string
  readonly port: number
  readonly pid: number
  readonly request: Request
}

const startPeer = async (model: string) => {
  const there = spawnSync(given.python, ['-c', 'import fastapi, uvicorn, onnxruntime'])
  if (there.status !== 0) return undefined
  const port = await freePort()
  const child = spawn(given.python, [join(import.meta.dirname, 'api', 'peer.py'), model, String(port)])
  for (let tries = 0; tries < 200; tries++) {
    const answer = await fetch(`http://127.0.0.1:${port}/docs`).catch(() => undefined)
    if (answer !== undefined) return { child, port }
    await pause(100)
  }
  child.kill()
  throw new Error('the peer did not come up')
}

const summaryOf = (list: readonly LoadMeasured[]) => ({
  perSecond: Math.round(median(list.map((one) => one.perSecond))),
  p50Ms: round(median(list.map((one) => one.p50Ms))),
  p99Ms: round(median(list.map((one) => one.p99Ms))),
  p99OverP50: round(median(list.map((one) => one.p99Ms / one.p50Ms))),
  refused: list.reduce((sum, { answered, statuses }) => sum + answered - (statuses[200] ?? 0), 0),
})

const folder = await mkdtemp(join(tmpdir(), 'imlma-benchmark-'))
const centre = await startControlCentre()
await writeFile(join(folder, 'root.json'), JSON.stringify(centre.root))
await writeFile(join(folder, 'model.onnx'), encodeTinyModel({ layers: [layer] }))
const agent = spawnAgent([
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
  '--root',
  join(folder, 'root.json'),
  '--data-dir',
  join(folder, 'gw-1'),
])
const peer = await startPeer(join(folder, 'model.onnx'))
try {
  const port = Number(new URL(await agent.up).port)
  const contract = tinyContract({ features, horizon: features })
  centre.assign('gw-1', centre.release(1, layer, contract))
  const givenUpAt = performance.now() + 30_000
  while (centre.of('gw-1').reported?.models['load']?.phase !== 'idle') {
    if (performance.now() > givenUpAt) throw new Error(`no version serves:\n${agent.log()}`)
    await pause(20)
  }
  const pid = agent.process.pid as number
  const servers: readonly Server[] = [
    { name: 'agent', port, pid, request: asText },
    { name: 'agentBinary', port, pid, request: asBytes },
    ...(peer === undefined
      ? []
      : [{ name: 'fastapi', port: peer.port, pid: peer.child.pid as number, request: asText }]),
  ]
  const results: Record<
    string,
    Record<string, ReturnType<typeof summaryOf> & { cpuUsPerRequest: number }>
  > = {}
  for (const connections of levels) {
    const measured = new Map<string, LoadMeasured[]>()
    const cpu = new Map<string, number[]>()
    for (let i = 0; i < rounds; i++) {
      for (const server of servers) {
        const before = await cpuMsOf(server.pid)
        const one = await load(server.port, connections, server.request)
        // The warm-up is asked at about the same pace.
        const asked = (one.perSecond * (measureMs + 1_500)) / 1_000
        const cpuUs = (((await cpuMsOf(server.pid)) - before) * 1_000) / asked
        measured.set(server.name, [...(measured.get(server.name) ?? []), one])
        cpu.set(server.name, [...(cpu.get(server.name) ?? []), cpuUs])
      }
    }
    results[connections] = Object.fromEntries(
      [...measured].map(([name, list]) => [
        name,
        { ...summaryOf(list), cpuUsPerRequest: Math.round(median(cpu.get(name) ?? [])) },
      ]),
    )
  }
  const at64 = results[64]
  const peerPerSecond = at64?.['fastapi']?.perSecond ?? referencePerSecond
  const timesPeer = round((at64?.['agent']?.perSecond ?? 0) / peerPerSecond)
  const held = {
    timesPeer: timesPeer >= bars.timesPeerMin,
    p99: (at64?.['agent']?.p99OverP50 ?? Infinity) <= bars.p99OverP50Max,
  }
  const compared = peer === undefined ? `reference figure ${referencePerSecond}/s` : 'measured here'
  const load1 = round(loadavg()[0] as number)
  console.log(
    JSON.stringify(
      { benchmark: 'api', rounds, load1, results, peer: compared, timesPeer, bars, held },
      undefined,
      2,
    ),
  )
} finally {
  peer?.child.kill()
  await agent.end()
  await centre.close()
  await rm(folder, { recursive: true })
}
