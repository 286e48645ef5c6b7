/** The table of commands as a command line: parsing, help, output as text or JSON, exit codes. */

import { Command as Program, CommanderError } from 'commander'
import { Failure, type Refusal } from '@imlma/protocol/result'
import type { Arguments, Command, Context } from './command.ts'
import { exitCodeOf, printRefusal, usageExitCode } from './exit.ts'

export interface Terminal {
  readonly out: (text: string) => void
  readonly err: (text: string) => void
}

export interface ProgramParts {
  readonly commands: readonly Command[]
  readonly terminal: Terminal
  /** Opens what the command needs; `options` are those that were given. */
  readonly open: (options: Arguments['options']) => Promise<Context>
}

/** Runs one command line; the result is the exit code. */
export const runProgram = async (
  { commands, terminal, open }: ProgramParts,
  argv: readonly string[],
): Promise<number> => {
  let exitCode = 0
  const program = createProgram(terminal)
  for (const command of commands) {
    const target = declare(program, command, terminal)
    target.action(async (...given: unknown[]) => {
      const words = given.slice(0, -2).filter((word): word is string => typeof word === 'string')
      const options = target.optsWithGlobals<Arguments['options']>()
      exitCode = await run(command, { words, options }, open, terminal)
    })
  }
  try {
    await program.parseAsync([...argv], { from: 'user' })
    return exitCode
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error
    return error.exitCode === 0 ? 0 : usageExitCode
  }
}

const run = async (
  command: Command,
  given: Arguments,
  open: ProgramParts['open'],
  terminal: Terminal,
): Promise<number> => {
  const refuse = (refusal: Refusal): number => {
    terminal.err(`${printRefusal(refusal)}\n`)
    return exitCodeOf(refusal.code)
  }
  try {
    const outcome = await command.run(await open(given.options), given)
    if (!outcome.ok) return refuse(outcome.refusal)
    const { text, json } = outcome.value
    terminal.out(`${given.options.json === true ? JSON.stringify(json, null, 2) : text}\n`)
    return 0
  } catch (error) {
    if (!(error instanceof Failure)) throw error
    const { code, message, hint } = error
    return refuse(hint === undefined ? { code, message } : { code, message, hint })
  }
}

const createProgram = (terminal: Terminal): Program =>
  prepare(
    new Program('imlma')
      .description('IMLMA: the life of forecasting models in a metering network.')
      .showHelpAfterError('(imlma --help lists the commands)')
      .helpCommand(false),
    terminal,
  )

const prepare = (program: Program, { out, err }: Terminal): Program =>
  program.exitOverride().configureOutput({ writeOut: out, writeErr: err })

const declare = (program: Program, command: Command, terminal: Terminal): Program => {
  const [first = '', second] = command.name.split(' ')
  const parent = second === undefined ? program : groupOf(program, first, terminal)
  const target = prepare(parent.command(second ?? first), terminal)
  target.description(command.summary).addHelpText('after', `\nExample:\n  $ ${command.example}`)
  for (const { name, about, optional } of command.words ?? []) {
    target.argument(optional === true ? `[${name}]` : `<${name}>`, about)
  }
  for (const { flags, about, required } of command.options ?? []) {
    if (required === true) target.requiredOption(flags, about)
    else target.option(flags, about)
  }
  return target
    .option('--json', 'print a JSON document instead of text')
    .option('--url <url>', 'the control centre (default http://127.0.0.1:4600; IMLMA_URL)')
    .option('--broker <url>', 'the MQTT broker (default mqtt://127.0.0.1:1883; IMLMA_BROKER)')
    .option('--data-dir <dir>', 'data directory of the control centre (default .imlma; IMLMA_DATA_DIR)')
    .option('--token <token>', 'what proves who asks (IMLMA_TOKEN; default: the data directory’s own)')
    .option('--site <name>', 'the site (default demo; IMLMA_SITE)')
}

const groupOf = (program: Program, name: string, terminal: Terminal): Program => {
  const known = program.commands.find((candidate) => candidate.name() === name)
  if (known !== undefined) return known
  const about =
    {
      keys: 'technicians’ keys',
      root: 'who holds which role',
      users: 'who may come in',
      tokens: 'what machines come in with',
      audit: 'the chain of events',
      pki: 'certificates: the authority, enrolment tokens, what is denied',
      broker: 'rules for a broker that is not ours',
    }[name] ?? name
  return prepare(program.command(name).description(about).helpCommand(false), terminal)
}
