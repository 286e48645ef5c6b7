/** A control centre and many agents: the real broker and control processes, agents many in a process or one each. */

import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, writeFile } from 'node:fs/promises'
import { spawnAgent } from '@imlma/agent/serving/testing/processes'

const root = new URL('../../../', import.meta.url)
const programs = {
  coordinator: new URL('coordinator/src/main.ts', root),
  /** Control with versions that were prepared instead of trained. */
  control: new URL('coordinator/src/control/testing/control.child.ts', root),
  agents: new URL('agent/src/testing/agents.child.ts', root),
}

export const site = 'demo'
export const model = 'load'

/** Day-ahead on quarter hours, as `npm start` has it; trained only when asked. */
const definition = {
  name: model,
  quantity: 'active energy',
  unit: 'kWh',
  register: '1-0:1.29.0',
  intervalMs: 900_000,
  horizon: 96,
  trigger: { volume: 1_000_000_000, intervalMs: 2_592_000_000, readingsMin: 1, coolDownMs: 0 },
  data: {},
  // All gateways share the cores of this machine: how long one waits for its turn says nothing about the model.
  latencyMsBudget: 5_000,
}

/** Two weeks are there at the start, then an interval every ten seconds. */
const feed = { kind: 'simulated', name: 'feed', historyDays: 14, speed: 90 }

export interface World {
  readonly api: string
  /** Data directory of the control centre. */
  readonly folder: string
  readonly broker: string
  readonly pids: { readonly broker: number; readonly control: number }
  readonly startAgents: (agents: number, processes: number, meters: number) => Promise<void>
  readonly stop: () => Promise<void>
}

export const startWorld = async (folder: string): Promise<World> => {
  const stops: (() => Promise<unknown>)[] = []
  const start = async (program: URL, args: readonly string[]) => {
    const child = fork(program, [...args], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
    stops.push(() => end(child))
    const [up] = (await Promise.race([
      once(child, 'message'),
      once(child, 'exit').then(() => Promise.reject(new Error(`${program.pathname} ended before it was up`))),
    ])) as [Record<string, unknown>]
    return { ...up, pid: child.pid ?? 0 } as { pid: number; api?: string; broker?: string }
  }

  await writeFile(`${folder}/models.json`, JSON.stringify([definition]))
  const common = ['--data-dir', folder, '--site', site, '--log', 'error']
  const first = await start(programs.coordinator, ['broker', ...common, '--mqtt-port', '0'])
  const broker = first.broker ?? ''
  const where = ['--port', '0', '--broker', broker, '--models', `${folder}/models.json`]
  const control = await start(programs.control, ['prepared', ...common, ...where])

  const startMany = async (names: readonly string[], meters: number): Promise<void> => {
    const trust = { root: `${folder}/trust/roots/1.json`, folder: `${folder}/agents` }
    await start(programs.agents, [
      JSON.stringify({ names, site, broker, ...trust, feed: { ...feed, meters } }),
    ])
  }
  const startOne = async (name: string, meters: number): Promise<void> => {
    const own = Array.from({ length: meters }, (_, i) => `${name}-${i + 1}`)
    const config = `${folder}/agents/${name}.json`
    await writeFile(config, JSON.stringify({ sources: [{ ...feed, meters: own }] }))
    const identity = ['--name', name, '--site', site, '--broker', broker, '--port', '0', '--log', 'error']
    const files = ['--root', `${folder}/trust/roots/1.json`, '--data-dir', `${folder}/agents/${name}`]
    const agent = spawnAgent([...identity, ...files, '--config', config])
    stops.push(() => agent.end())
    await agent.up
  }

  return {
    folder,
    api: control.api ?? '',
    broker,
    pids: { broker: first.pid, control: control.pid },
    startAgents: async (agents, processes, meters) => {
      await mkdir(`${folder}/agents`, { recursive: true })
      const names = Array.from({ length: agents }, (_, i) => `gw-${i + 1}`)
      if (processes >= agents) {
        for (const name of names) await startOne(name, meters)
        return
      }
      const shares = Array.from({ length: processes }, (_, share) =>
        names.filter((_name, i) => i % processes === share),
      )
      await Promise.all(shares.map((share) => startMany(share, meters)))
    },
    stop: async () => {
      for (const stop of stops.splice(0).toReversed()) await stop()
    },
  }
}

const end = async (child: ChildProcess): Promise<void> => {
  if (child.exitCode !== null) return
  const exited = once(child, 'exit')
  child.kill('SIGTERM')
  await exited
}
