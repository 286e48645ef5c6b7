/**
 * The command line of an agent. By Node's own parser: `commander` brings the means to start further commands with it,
 * 1 MB that would stay for one reading of a dozen options.
 */

import { parseArgs } from 'node:util'
import { accept, refuse, type Result } from '@imlma/protocol/result'
import { isName } from '@imlma/protocol/wire'
import type { Configuration } from './configuration.ts'
import type { Inspect } from './inspection.process.ts'
import { logLevels, type LogLevel } from './log-level.ts'

/** An enrolment token as it was given, or the file that holds it. */
export type GivenToken = { readonly token: string } | { readonly file: string }

export interface Settings {
  /** Name, site and broker are left out where this agent is enrolled, and where a token says them. */
  readonly name?: string
  readonly site?: string
  readonly broker?: string
  readonly enrol?: GivenToken
  /** File of the first trust root; needed at the first start only. */
  readonly root?: string
  readonly dataDir: string
  readonly host: string
  readonly port: number
  /** JSON file with sources and further settings. */
  readonly config?: string
  readonly log: LogLevel
}

/** What the command line says; the rest is the configuration's. */
export type GivenSettings = Pick<Settings, 'dataDir'> & Partial<Settings>

/** The command line comes before the file. */
export const completeSettings = (given: GivenSettings, configuration: Configuration): Settings => {
  const { name, site, broker, root, host, port, log } = configuration
  return { ...definedOnly({ name, site, broker, root }), host, port, log, ...given }
}

/** What a command line asks for: to run, or to be told something. */
export type Asked =
  | { readonly kind: 'run'; readonly settings: GivenSettings }
  | { readonly kind: 'enrol'; readonly enrol: GivenToken; readonly dataDir: string }
  | { readonly kind: 'identity'; readonly dataDir: string }
  | { readonly kind: 'check'; readonly config: string }
  | { readonly kind: 'inspect'; readonly inspect: Inspect }
  | { readonly kind: 'audit-show' | 'audit-verify'; readonly dataDir: string }
  | { readonly kind: 'tell'; readonly text: string }

const text = { type: 'string' } as const
const flag = { type: 'boolean' } as const

const common = {
  enrol: text,
  'enrol-file': text,
  'data-dir': { ...text, default: './imlma-agent' },
  help: { ...flag, short: 'h' },
} as const

/** `args`: what follows the program. */
export const parseSettings = (args: readonly string[], version: string): Result<Asked, 'BAD_OPTION'> => {
  try {
    if (args[0] === 'enrol') return parseEnrol(args.slice(1))
    if (args[0] === 'identity') return parseShowing(args.slice(1), 'identity')
    const inspected = inspections.find((what) => what === args[0])
    if (inspected !== undefined) return parseInspect(inspected, args.slice(1))
    if (args[0] === 'check') return parseCheck(args.slice(1))
    if (args[0] === 'audit') return parseAudit(args.slice(1))
    return parseRun(args, version)
  } catch (cause) {
    return refuseOption((cause as Error).message)
  }
}

const parseRun = (args: readonly string[], version: string): Result<Asked, 'BAD_OPTION'> => {
  const { values: given } = parseArgs({
    args: [...args],
    options: {
      ...common,
      name: text,
      site: text,
      broker: text,
      root: text,
      host: text,
      port: text,
      config: text,
      log: text,
      version: { ...flag, short: 'V' },
    },
  })
  if (given.help === true) return accept({ kind: 'tell', text: help })
  if (given.version === true) return accept({ kind: 'tell', text: version })
  const { name, site, broker, root, host, config } = given
  if (name !== undefined && !isName(name)) return refuseOption(`--name is ${nameRule}`)
  if (site !== undefined && !isName(site)) return refuseOption(`--site is ${nameRule}`)
  const port = given.port === undefined ? undefined : Number(given.port)
  if (port !== undefined && (!/^\d+$/.test(given.port as string) || port > 65_535))
    return refuseOption('--port is 0 to 65535')
  const log = logLevels.find((level) => level === given.log)
  if (log === undefined && given.log !== undefined)
    return refuseOption(`--log is one of ${logLevels.join(', ')}`)
  const enrol = toGivenToken(given.enrol, given['enrol-file'])
  const optional = definedOnly({ name, site, broker, root, config, enrol, host, port, log })
  return accept({
    kind: 'run',
    settings: { ...optional, dataDir: given['data-dir'] },
  })
}

const parseCheck = (args: readonly string[]): Result<Asked, 'BAD_OPTION'> => {
  const { values: given } = parseArgs({ args: [...args], options: { config: text, help: common.help } })
  if (given.help === true) return accept({ kind: 'tell', text: help })
  if (given.config === undefined) return refuseOption('check needs --config')
  return accept({ kind: 'check', config: given.config })
}

const inspections = ['status', 'verify', 'models', 'outbox', 'logs'] as const

const parseInspect = (what: Inspect['what'], args: readonly string[]): Result<Asked, 'BAD_OPTION'> => {
  const { 'data-dir': dataDir, help: helpFlag } = common
  const { values: given } = parseArgs({
    args: [...args],
    options: {
      'data-dir': dataDir,
      help: helpFlag,
      json: flag,
      lines: { ...text, short: 'n', default: '50' },
    },
  })
  if (given.help === true) return accept({ kind: 'tell', text: help })
  const lines = Number(given.lines)
  if (!/^\d{1,6}$/.test(given.lines) || lines < 1) return refuseOption('--lines is 1 to 999999')
  const json = given.json === true
  return accept({ kind: 'inspect', inspect: { what, dataDir: given['data-dir'], json, lines } })
}

const parseEnrol = (args: readonly string[]): Result<Asked, 'BAD_OPTION'> => {
  const { values: given, positionals } = parseArgs({
    args: [...args],
    options: common,
    allowPositionals: true,
  })
  if (given.help === true) return accept({ kind: 'tell', text: help })
  const [token, ...more] = positionals
  const enrol = toGivenToken(token ?? given.enrol, given['enrol-file'])
  if (enrol === undefined || more.length > 0) return refuseOption('give one token, or --enrol-file')
  return accept({ kind: 'enrol', enrol, dataDir: given['data-dir'] })
}

const parseAudit = ([what, ...args]: readonly string[]): Result<Asked, 'BAD_OPTION'> => {
  if (what === 'show' || what === 'verify') return parseShowing(args, `audit-${what}`)
  return refuseOption('audit show, or audit verify')
}

const parseShowing = (
  args: readonly string[],
  kind: 'identity' | 'audit-show' | 'audit-verify',
): Result<Asked, 'BAD_OPTION'> => {
  const { 'data-dir': dataDir, help: helpFlag } = common
  const { values: given } = parseArgs({ args: [...args], options: { 'data-dir': dataDir, help: helpFlag } })
  return accept(given.help === true ? { kind: 'tell', text: help } : { kind, dataDir: given['data-dir'] })
}

const toGivenToken = (token: string | undefined, file: string | undefined): GivenToken | undefined => {
  if (token !== undefined) return { token }
  return file === undefined ? undefined : { file }
}

/** Options that were not given are not there, rather than there and undefined. */
const definedOnly = <Options extends object>(
  options: Options,
): { [Name in keyof Options]?: NonNullable<Options[Name]> } =>
  Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as {
    [Name in keyof Options]?: NonNullable<Options[Name]>
  }

const nameRule = 'letters, digits, _ and -; at most 64'

const refuseOption = (message: string) =>
  refuse('BAD_OPTION', message, 'imlma-agent --help lists the options')

const help = `Usage: imlma-agent [options]
       imlma-agent enrol <token> [--data-dir <dir>]     make this gateway an agent of a site
       imlma-agent identity [--data-dir <dir>]          show who it is, and until when
       imlma-agent check --config <file>                is this configuration right?
       imlma-agent status [--json]                      what it does now, or did when it was stopped
       imlma-agent verify [--json]                      do signature and digest of every model on disk hold?
       imlma-agent models | outbox [--json]             which versions it has; which readings still wait
       imlma-agent logs [-n <lines>]                    the last lines of its log
       imlma-agent audit show [--data-dir <dir>]        what it did and what was done to it
       imlma-agent audit verify [--data-dir <dir>]      does the record of that hold?

Serves forecasts beside the meters, keeps readings until the control centre has them.

  --enrol <token>      enrolment token, at the first start (imlma pki token, at the control centre)
  --enrol-file <file>  the same from a file, which is deleted when it has been used
  --name <name>        name of this agent, where it is not enrolled
  --site <site>        name of the site, where it is not enrolled
  --broker <url>       MQTT broker (as told at enrolment, or mqtt://127.0.0.1:1883)
  --root <file>        trust root envelope, where it is not enrolled; then the stored chain holds
  --data-dir <dir>     where all state lies (./imlma-agent)
  --host <address>     address of the local API (127.0.0.1)
  --port <number>      port of the local API; 0 takes a free one (4611)
  --config <file>      JSON file: sources and further settings (agent/CONFIGURATION.md); read again on SIGHUP
  --log <level>        what is logged: ${logLevels.join(', ')} (info)
  -V, --version        output the version number
  -h, --help           display this help

Examples:
  imlma-agent enrol imlma1.eyJ1cmwi... --data-dir agents/gw-1
  imlma-agent --data-dir agents/gw-1 --config gw-1.json
  imlma-agent --name gw-1 --site demo --root root.json          not enrolled: a broker on this machine`
