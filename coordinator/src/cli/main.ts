#!/usr/bin/env node
/** `imlma`: hands the environment and the command line to one command, and its end to the shell. */

import { commands } from './commands.ts'
import { openContext } from './context.process.ts'
import { runProgram } from './program.commander.ts'

const say = (line: string) => process.stderr.write(`${line}\n`)

process.exitCode = await runProgram(
  {
    commands,
    open: (options) => openContext({ folder: process.cwd(), environment: process.env, options }, say),
    terminal: {
      out: (text) => process.stdout.write(text),
      err: (text) => process.stderr.write(text),
    },
  },
  process.argv.slice(2),
)
