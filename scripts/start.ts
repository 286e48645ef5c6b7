/**
 * `npm start`: a whole house on this machine. Starts broker, control centre and agents as processes of their own,
 * lets a feed run, and tells what happens. With `--rounds` or `--until` it ends by itself; the last line on standard
 * output is then one JSON object about what was decided.
 */

import { once } from 'node:events'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { Failure } from '@imlma/protocol/result'
import small from '@imlma/agent/small' with { type: 'json' }
import { inspectFile } from '@imlma/agent/sources'
import { writeDurably } from '@imlma/protocol/node'
import { askFor, createAsk } from './start/ask.ts'
import { enrolmentOf } from './start/enrolment.ts'
import { narrate, type Narrator } from './start/narrate.ts'
import { parseOptions, type StartOptions } from './start/options.ts'
import { createHouse } from './start/processes.ts'
import { fileScenario, simulatedScenario, type Scenario } from './start/scenario.ts'
import { awaitEnd, summarise } from './start/summary.ts'

const site = 'demo'
const root = new URL('../', import.meta.url)
const coordinator = new URL('coordinator/src/main.ts', root)
const agent = new URL('agent/bin/imlma-agent.mjs', root)

const planScenario = async (options: StartOptions): Promise<Scenario> => {
  if (options.data === undefined) return simulatedScenario(options)
  const path = resolve(options.data)
  const file = await inspectFile(path, {
    ...(options.timeColumn === undefined ? {} : { timeColumn: options.timeColumn }),
    ...(options.columns === undefined ? {} : { columns: options.columns }),
    ...(options.interval === undefined ? {} : { intervalMs: options.interval * 60_000 }),
    ...(options.unit === undefined ? {} : { unit: options.unit }),
  })
  if (!file.ok) throw new Failure(file.refusal.code, `${path}: ${file.refusal.message}`, file.refusal)
  const { intervalMs, columns, firstAt, lastAt } = file.value
  const [first] = columns
  return fileScenario(options, path, {
    intervalMs,
    meters: columns.map(({ name }) => name),
    unit: first?.unit ?? null,
    firstAt,
    lastAt,
  })
}

/** A directory belongs to the feed it was made with: another one would mix two sites' readings. */
const claim = async (dataDir: string, scenario: Scenario): Promise<void> => {
  const path = `${dataDir}/feed.json`
  await mkdir(`${dataDir}/logs`, { recursive: true })
  const found = await readFile(path, 'utf8').catch(() => undefined)
  const owner = found === undefined ? undefined : (JSON.parse(found) as { name: string }).name
  if (owner !== undefined && owner !== scenario.name) {
    throw new Failure('DATA_DIR_OF_ANOTHER_FEED', `${dataDir} holds the state of the feed "${owner}"`, {
      hint: `choose another --data-dir, or delete ${dataDir}`,
    })
  }
  await writeFile(path, `${JSON.stringify({ name: scenario.name })}\n`)
}

const run = async (options: StartOptions): Promise<void> => {
  const scenario = await planScenario(options)
  const dataDir = resolve(options.dataDir ?? `.imlma/${scenario.name}`)
  await claim(dataDir, scenario)
  const house = createHouse(`${dataDir}/logs`)
  let narrator: Narrator | undefined
  const asked = Promise.race([once(process, 'SIGINT'), once(process, 'SIGTERM'), once(process, 'SIGHUP')])
  try {
    const models = `${dataDir}/models.json`
    await writeFile(models, `${JSON.stringify([scenario.model], null, 2)}\n`)
    const common = ['--data-dir', dataDir, '--site', site, '--clock', 'simulated', '--tls']
    const mqtt = ['--mqtt-port', String(options.mqttPort), '--mqtts-port', String(options.mqttsPort)]
    const broker = await house.start('broker', coordinator, ['broker', ...common, ...mqtt])
    // People's tools speak plain MQTT on this machine; control centre and agents show certificates.
    const [brokerUrl, mqttsUrl] = [String(broker['broker']), String(broker['mqtts'])]
    const ports = ['--port', String(options.port), '--gateway-port', String(options.gatewayPort)]
    const known = ['--broker', mqttsUrl, '--models', models]
    const control = await house.start('control', coordinator, ['control', ...common, ...ports, ...known])
    const url = String(control['api'])
    await leaveWord(dataDir, { dataDir, url, broker: brokerUrl, site })
    console.log(`The page: ${url}    MQTT: ${brokerUrl}    agents: ${mqttsUrl}    state: ${dataDir}`)

    if (typeof control['setup'] === 'string') {
      console.log(`Nobody can log in yet. Choose the password of "admin" here, once: ${control['setup']}`)
    }

    const ask = createAsk(url, dataDir)
    const { seq } = await askFor<{ seq: number }>(ask, 'health')
    narrator = narrate(ask, seq)
    for (const [index, source] of scenario.sources.entries()) {
      const name = `gw-${index + 1}`
      const config = `${dataDir}/agents/${name}.json`
      await mkdir(`${dataDir}/agents`, { recursive: true })
      await writeFile(config, `${JSON.stringify({ sources: [source], reportEveryMs: 2_000 }, null, 2)}\n`)
      const port = options.agentPort === 0 ? 0 : options.agentPort + index
      const own = `${dataDir}/agents/${name}`
      const where = ['--data-dir', own, '--config', config, '--broker', mqttsUrl, '--port', String(port)]
      const who = await enrolmentOf(dataDir, name, own)
      const up = await house.start(name, agent, [...where, ...who], small).catch((cause: unknown) => {
        throw inOurWords(cause)
      })
      console.log(`Agent ${name}: ${String(up['api'])}`)
    }
    house.onEnded((name, how) =>
      console.log(`${name} ended ${how}; the others go on (log: ${dataDir}/logs/${name}.log)`),
    )

    const agents = scenario.sources.length
    const waiting = new AbortController()
    void asked.then(() => waiting.abort())
    const end = await awaitEnd(ask, agents, options, waiting.signal)
    narrator.stop()
    if (end === 'asked') return
    const summary = await summarise(ask)
    await house.stop()
    process.stdout.write(`${JSON.stringify(summary)}\n`)
  } finally {
    narrator?.stop()
    await house.stop()
  }
}

/** For `imlma` and for whoever asks where things are: nobody else's business. */
const leaveWord = async (dataDir: string, word: Readonly<Record<string, string>>): Promise<void> => {
  await mkdir('.imlma', { recursive: true })
  for (const folder of [dataDir, '.imlma']) {
    await writeDurably(`${folder}/current.json`, `${JSON.stringify(word)}\n`, 0o600)
  }
}

/** An agent names its own option for its port; here another one chooses it. */
const inOurWords = (cause: unknown): unknown =>
  cause instanceof Failure && cause.code === 'PORT_TAKEN'
    ? new Failure(cause.code, cause.message, {
        cause,
        hint: 'end the other program, or choose other ports with --agent-port (0 takes free ones)',
      })
    : cause

try {
  await run(parseOptions(process.argv))
} catch (error) {
  const { message } = error as Error
  console.error(error instanceof Failure ? `${error.code}: ${message}` : message)
  if (error instanceof Failure && error.hint !== undefined) console.error(`  ${error.hint}`)
  process.exitCode = 1
}
