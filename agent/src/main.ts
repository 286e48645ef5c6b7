/**
 * `imlma-agent`: reads the command line and the configuration, starts one agent, ends it on a signal.
 *
 * Standard output carries one line, when the agent is up; everything else is the log, on standard error. A mistake of
 * ours ends the process: what must survive is on disk, and whoever supervises it starts it again.
 */

import { readFile } from 'node:fs/promises'
import { Failure } from '@imlma/protocol/result'
import packageFile from '../package.json' with { type: 'json' }
import { startAgent } from './agent.process.ts'
import { answer } from './answers.process.ts'
import { defaultConfiguration, parseConfiguration, type Configuration } from './configuration.ts'
import { createLog } from './log.pino.ts'
import { parseSettings, type Settings } from './settings.process.ts'

/** A stop that takes longer is ended: readings and models are safe on disk at any moment. */
const stopMsMax = 2_500

const { version } = packageFile

const readSettings = async (): Promise<Settings> => {
  const asked = parseSettings(process.argv.slice(2), version)
  if (!asked.ok) {
    process.stderr.write(`error: ${asked.refusal.message}\n${asked.refusal.hint}\n`)
    process.exit(1)
  }
  if (asked.value.kind === 'run') return asked.value.settings
  process.exit(await answer(asked.value, process))
}
const settings = await readSettings()
const log = createLog(settings.name, settings.log)

const readConfiguration = async (path: string | undefined): Promise<Configuration> => {
  if (path === undefined) return defaultConfiguration
  const text = await readFile(path, 'utf8').catch((cause: unknown) => {
    throw new Failure('BAD_CONFIGURATION', `${path} cannot be read`, { cause, hint: 'check --config' })
  })
  const parsed = parseConfiguration(text)
  if (parsed.ok) return parsed.value
  const { code, message, hint } = parsed.refusal
  throw new Failure(code, message, hint === undefined ? {} : { hint })
}

const end = (cause: unknown, message: string): never => {
  if (cause instanceof Failure) log.fatal({ code: cause.code, hint: cause.hint, err: cause }, cause.message)
  else log.fatal({ err: cause }, message)
  process.exit(1)
}
process.on('uncaughtException', (cause) => end(cause, 'a mistake of ours'))
process.on('unhandledRejection', (cause) => end(cause, 'a mistake of ours'))

const stopping = new AbortController()
// The process that started us is gone: nobody would ever stop us.
if (process.connected) process.once('disconnect', () => stopping.abort())
for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  process.on(signal, () => {
    // The second signal does not wait.
    if (stopping.signal.aborted) process.exit(1)
    stopping.abort()
  })
}

try {
  const agent = await startAgent(settings, await readConfiguration(settings.config), {
    log,
    agentVersion: version,
  })
  const stop = async (): Promise<void> => {
    log.info('stopping')
    setTimeout(() => end(new Error(`not stopped after ${stopMsMax} ms`), 'stopped hard'), stopMsMax).unref()
    await agent.stop()
    process.exit(0)
  }
  if (stopping.signal.aborted) await stop()
  stopping.signal.addEventListener('abort', () => void stop())
  const up = { event: 'up', name: agent.name, api: agent.url }
  process.stdout.write(`${JSON.stringify(up)}\n`)
  process.send?.(up)
} catch (cause) {
  if (cause instanceof Failure && process.connected) {
    const { code, message, hint } = cause
    process.send?.({ event: 'failed', code, message, hint })
  }
  end(cause, 'not started')
}
