/** What a command works with, out of options, environment and folder. What is heavy is loaded when it is needed. */

import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { getCACertificates, setDefaultCACertificates } from 'node:tls'
import { createApiClient } from './client.http.ts'
import type { Context, Settings } from './command.ts'
import { readProof, readSettings, type Sources } from './settings.fs.ts'

export const openContext = async (sources: Sources, say: (line: string) => void): Promise<Context> => {
  const settings = await readSettings(sources)
  await trustOwnAuthority(settings, sources.folder)
  return {
    settings,
    say,
    client: createApiClient(settings.url, await readProof(settings, sources)),
    readFile: async (path, bytesMax) =>
      (await import('./files.fs.ts')).readGivenFile(resolve(sources.folder, path), bytesMax),
    pause: (ms) => pause(ms),
    sendCommand: async (sending) => (await import('./sender.mqtt.ts')).sendCommand(settings.broker, sending),
    exportMosquitto: async (given) =>
      (await import('./mosquitto.fs.ts')).exportMosquitto(settings.dataDir, given),
    audit: {
      verifyLocally: async (dataDir, site) => (await import('./audit.fs.ts')).verifyLocally(dataDir, site),
      exportLocally: async (target, range) => {
        const path = resolve(sources.folder, target.path)
        return (await import('./audit-export.fs.ts')).exportLocally({ ...target, path }, range)
      },
      verifyExported: async (bytes) => (await import('./audit-export.fs.ts')).verifyExported(bytes),
    },
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
    pki: (await import('./pki.fs.ts')).createPki(resolve(sources.folder, settings.dataDir), Date.now),
    roots: (await import('./roots.fs.ts')).createRoots(),
    now: Date.now,
  }
}

/** The site's own certificate authority is believed beside those of the system. */
const trustOwnAuthority = async ({ url, dataDir }: Settings, folder: string): Promise<void> => {
  if (!url.startsWith('https:')) return
  const ca = await readFile(resolve(folder, dataDir, 'trust', 'pki', 'ca.pem'), 'utf8').catch(() => undefined)
  if (ca !== undefined) setDefaultCACertificates([...getCACertificates('default'), ca])
}
