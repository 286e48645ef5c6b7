/**
 * `imlma-agent`: reads the command line and the configuration, starts one agent, ends it on a signal.
 *
 * Standard output carries one line, when the agent is up; everything else is the log, on standard error. A mistake of
 * ours ends the process: what must survive is on disk, and whoever supervises it starts it again.
 */

import { join } from 'node:path'
import { Failure } from '@imlma/protocol/result'
import packageFile from '../package.json' with { type: 'json' }
import { startAgent } from './agent.process.ts'
import { answer } from './answers.process.ts'
import { readConfiguration } from './configuration.fs.ts'
import { needRestart } from './configuration.ts'
import { openLogFile } from './log-file.fs.ts'
import { createLog, type LogTarget } from './log.pino.ts'
import { completeSettings, parseSettings, type GivenSettings } from './settings.process.ts'
import { createServiceManager } from './supervisor/service-manager.process.ts'

/** A stop that takes longer is ended: readings and models are safe on disk at any moment. */
const stopMsMax = 2_500

const { version } = packageFile

const readSettings = async (): Promise<GivenSettings> => {
  const asked = parseSettings(process.argv.slice(2), version)
  if (!asked.ok) {
    process.stderr.write(`error: ${asked.refusal.message}\n${asked.refusal.hint}\n`)
    process.exit(1)
  }
  if (asked.value.kind === 'run') return asked.value.settings
  process.exit(await answer(asked.value, process))
}
const given = await readSettings()
const logTarget: LogTarget = {}
const log = createLog(given.name, given.log ?? 'info', logTarget)
const serviceManager = createServiceManager(
  { onFailure: (cause) => log.warn({ err: cause }, 'systemd was not told') },
  { socket: process.env['NOTIFY_SOCKET'], watchdogUs: process.env['WATCHDOG_USEC'] },
)

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
  const configuration = await readConfiguration(given.config)
  const settings = completeSettings(given, configuration)
  log.level = settings.log
  if (configuration.logBytesMax > 0)
    logTarget.file = openLogFile({
      folder: join(settings.dataDir, 'logs'),
      bytesMax: configuration.logBytesMax,
    })
  const onSpent = (part: string, cause: unknown): void => {
    log.fatal({ part, err: cause }, 'failed again and again: the agent starts anew')
    void stop(1)
  }
  const agent = await startAgent(settings, configuration, { log, agentVersion: version, onSpent })
  const stop = async (code = 0): Promise<void> => {
    serviceManager.stopping()
    log.info('stopping')
    setTimeout(() => end(new Error(`not stopped after ${stopMsMax} ms`), 'stopped hard'), stopMsMax).unref()
    await agent.stop()
    process.exit(code)
  }
  // Without a file there is nothing to read again, and a closed terminal ends the agent as it ends others.
  const onHangUp = (): void => {
    const reload = async (): Promise<void> => {
      const wanted = await readConfiguration(given.config)
      const changes = await agent.reload(wanted)
      log.level = given.log ?? wanted.log
      const waiting = needRestart(configuration, wanted)
      log.info({ ...changes, needRestart: waiting }, 'the configuration was read again')
      serviceManager.status(waiting.length === 0 ? 'running' : `needs a restart for: ${waiting.join(', ')}`)
    }
    reload().catch((cause: unknown) => {
      const { code, hint } = cause instanceof Failure ? cause : { code: 'RELOAD_FAILED', hint: undefined }
      log.error({ code, hint, err: cause }, 'the configuration was not taken over: all runs on as it was')
    })
  }
  if (given.config !== undefined) process.on('SIGHUP', onHangUp)
  if (stopping.signal.aborted) await stop()
  stopping.signal.addEventListener('abort', () => void stop())
  const up = { event: 'up', name: agent.name, api: agent.url }
  process.stdout.write(`${JSON.stringify(up)}\n`)
  serviceManager.ready()
  process.send?.(up)
} catch (cause) {
  if (cause instanceof Failure && process.connected) {
    const { code, message, hint } = cause
    process.send?.({ event: 'failed', code, message, hint })
  }
  end(cause, 'not started')
}
