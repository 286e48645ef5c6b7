/**
 * From a fresh clone to the first version served by every agent, as a person has it: `git clone`, `npm start`, wait. The
 * clone is made of what is committed here, into a folder of its own without any node_modules; the packages come from
 * wherever npm and pnpm of this machine get them, which is its cache where it has one.
 *
 *   node scripts/benchmark/setup.ts [--rounds 1] [--revision HEAD] [--json]
 */

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { askFor, createAsk, type Ask } from '../start/ask.ts'

const { values: given } = parseArgs({
  options: {
    rounds: { type: 'string', default: '1' },
    revision: { type: 'string', default: 'HEAD' },
    json: { type: 'boolean', default: false },
  },
})
const rounds = Number(given.rounds)
const servingMsMax = 90_000
const waitMsMax = 240_000
/** Of what was said, when it went wrong. */
const saidCharactersMax = 3_000
const root = fileURLToPath(new URL('../../', import.meta.url))

const say = (line: string): void => {
  if (!given.json) console.error(line)
}
const median = (list: readonly number[]): number =>
  list.toSorted((a, b) => a - b)[Math.floor(list.length / 2)] as number

/** The person's own Node and npm, not those that this project has installed for itself. */
const environment = (): NodeJS.ProcessEnv => {
  const own = Object.entries(process.env).filter(([name]) => !/^(?:npm_|IMLMA_|NODE_OPTIONS$)/.test(name))
  const path = (process.env['PATH'] ?? '').split(delimiter).filter((part) => !part.includes('node_modules'))
  return { ...Object.fromEntries(own), PATH: path.join(delimiter) }
}

const git = async (...words: readonly string[]): Promise<void> => {
  const child = spawn('git', words, { stdio: 'inherit' })
  const [code] = (await once(child, 'exit')) as [number | null]
  if (code !== 0) throw new Error(`git ${words[0]} ended with ${code}`)
}

const clone = async (folder: string): Promise<void> => {
  await git('clone', '--quiet', '--no-hardlinks', root, folder)
  if (given.revision !== 'HEAD') await git('-C', folder, 'checkout', '--quiet', given.revision)
}

interface Agent {
  readonly models: readonly { readonly version: number | null }[]
}

/** True when every agent that is expected answers with a version. */
const isServedByAll = async (ask: Ask, agents: number): Promise<boolean> => {
  const views = await askFor<readonly Agent[]>(ask, 'agents')
  return views.length >= agents && views.every(({ models }) => typeof models[0]?.version === 'number')
}

const agentsByDefault = 3

/** Milliseconds from the start of the clone, each step's end. */
const measure = async () => {
  const folder = await mkdtemp(join(tmpdir(), 'imlma-setup-'))
  const project = join(folder, 'imlma')
  const startedAt = Date.now()
  await clone(project)
  const cloned = Date.now() - startedAt
  const ports = ['port', 'mqtt-port', 'mqtts-port', 'gateway-port', 'agent-port']
  const free = ports.flatMap((option) => [`--${option}`, '0'])
  const npm = spawn('npm', ['start', '--', ...free], {
    cwd: project,
    env: environment(),
    stdio: ['ignore', 'pipe', 'pipe'],
    // A group of its own, which gets the Ctrl-C at the end.
    detached: true,
  })
  const exited = once(npm, 'exit')
  // Somebody who stops the benchmark does not want its house to stay.
  const endHouse = (): void => {
    if (npm.pid !== undefined) process.kill(-npm.pid, 'SIGINT')
  }
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, endHouse)
  const removeEndings = (): void => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.off(signal, endHouse)
  }
  let said = ''
  npm.stdout.setEncoding('utf8').on('data', (text: string) => (said += text))
  npm.stderr.setEncoding('utf8').on('data', (text: string) => (said += text))
  const reach = async <Value>(look: () => Promise<Value | false> | Value | false): Promise<Value> => {
    for (;;) {
      const found = await look()
      if (found !== false) return found
      if (npm.exitCode !== null || Date.now() - startedAt > waitMsMax)
        throw new Error(`not reached; the end of what was said:\n${said.slice(-saidCharactersMax)}`)
      await pause(50)
    }
  }
  try {
    const url = await reach(() => /The page: (http\S+)/.exec(said)?.[1] ?? false)
    const up = Date.now() - startedAt
    const installed = (await stat(join(project, 'node_modules', '.imlma-setup'))).mtimeMs - startedAt
    const ask = createAsk(url, join(project, '.imlma', 'simulated'))
    await reach(() => isServedByAll(ask, agentsByDefault).catch(() => false as const))
    return { cloned, installed: Math.round(installed), up, serving: Date.now() - startedAt }
  } finally {
    if (npm.exitCode === null && npm.pid !== undefined) process.kill(-npm.pid, 'SIGINT')
    await exited
    removeEndings()
    await rm(folder, { recursive: true, force: true, maxRetries: 5 })
  }
}

const measured: Awaited<ReturnType<typeof measure>>[] = []
for (let round = 0; round < rounds; round++) {
  const one = await measure()
  measured.push(one)
  const { cloned, installed, up, serving } = one
  say(
    `clone ${cloned} ms, set-up ${installed - cloned} ms, start ${up - installed} ms, ` +
      `first version ${serving - up} ms: ${serving} ms in all`,
  )
}
const of = (pick: (one: (typeof measured)[number]) => number): number => median(measured.map(pick))
const result = {
  benchmark: 'setup',
  rounds,
  revision: given.revision,
  packages: 'node_modules empty; the package caches of this machine as they were',
  cloneMs: of((one) => one.cloned),
  setUpMs: of((one) => one.installed - one.cloned),
  startMs: of((one) => one.up - one.installed),
  firstVersionMs: of((one) => one.serving - one.up),
  servingMs: of((one) => one.serving),
  bars: { servingMsMax },
  held: of((one) => one.serving) <= servingMsMax,
}
console.log(JSON.stringify(result, undefined, given.json ? undefined : 2))
