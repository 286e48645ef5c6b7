#!/usr/bin/env node
/** `imlma`: reads the environment and the command line, and runs one command. What is heavy is loaded when it is needed. */

import { createApiClient } from './client.http.ts'
import type { Arguments, Context } from './command.ts'
import { commands } from './commands.ts'
import { runProgram } from './program.commander.ts'
import { readSettings } from './settings.fs.ts'

const open = async (options: Arguments['options']): Promise<Context> => {
  const settings = await readSettings({ folder: process.cwd(), environment: process.env, options })
  return {
    settings,
    client: createApiClient(settings.url),
    say: (line) => process.stderr.write(`${line}\n`),
    sendCommand: async (sending) => (await import('./sender.mqtt.ts')).sendCommand(settings.broker, sending),
    verifyLocally: async (dataDir) => (await import('./audit.fs.ts')).verifyLocally(dataDir),
    technician: (await import('./technician.fs.ts')).createTechnician(),
  }
}

process.exitCode = await runProgram(
  {
    commands,
    open,
    terminal: {
      out: (text) => process.stdout.write(text),
      err: (text) => process.stderr.write(text),
    },
  },
  process.argv.slice(2),
)
