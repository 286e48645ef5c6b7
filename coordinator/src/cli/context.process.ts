/** What a command works with, out of options, environment and folder. What is heavy is loaded when it is needed. */

import { resolve } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { createApiClient } from './client.http.ts'
import type { Context } from './command.ts'
import { readSettings, type Sources } from './settings.fs.ts'

export const openContext = async (sources: Sources, say: (line: string) => void): Promise<Context> => {
  const settings = await readSettings(sources)
  return {
    settings,
    say,
    client: createApiClient(settings.url),
    readFile: async (path, bytesMax) =>
      (await import('./files.fs.ts')).readGivenFile(resolve(sources.folder, path), bytesMax),
    pause: (ms) => pause(ms),
    sendCommand: async (sending) => (await import('./sender.mqtt.ts')).sendCommand(settings.broker, sending),
    verifyLocally: async (dataDir) => (await import('./audit.fs.ts')).verifyLocally(dataDir),
    backtest: async (taskPath, plotPath) => {
      const { IMLMA_DATA: dataFolder } = sources.environment
      return (await import('../backtest/backtest.fs.ts')).backtest({
        taskPath,
        folder: sources.folder,
        say,
        ...(dataFolder === undefined ? {} : { dataFolder }),
        ...(plotPath === undefined ? {} : { plotPath }),
      })
    },
    technician: (await import('./technician.fs.ts')).createTechnician(),
  }
}
