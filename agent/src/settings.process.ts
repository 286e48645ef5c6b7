/**
 * The command line of an agent. By Node's own parser: `commander` brings the means to start further commands with it,
 * 1 MB that would stay for one reading of nine options.
 */

import { parseArgs } from 'node:util'
import { accept, refuse, type Result } from '@imlma/protocol/result'
import { isName } from '@imlma/protocol/wire'
import { logLevels, type LogLevel } from './log.pino.ts'

export interface Settings {
  readonly name: string
  readonly site: string
  readonly broker: string
  /** File of the first trust root; needed at the first start only. */
  readonly root?: string
  readonly dataDir: string
  readonly host: string
  readonly port: number
  /** JSON file with sources and further settings. */
  readonly config?: string
  readonly log: LogLevel
}

/** What a command line asks for: to run, or to be told something. */
export type Asked =
  { readonly kind: 'run'; readonly settings: Settings } | { readonly kind: 'tell'; readonly text: string }

const text = { type: 'string' } as const
const flag = { type: 'boolean' } as const

/** `args`: what follows the program. */
export const parseSettings = (args: readonly string[], version: string): Result<Asked, 'BAD_OPTION'> => {
  let given
  try {
    given = parseArgs({
      args: [...args],
      options: {
        name: text,
        site: text,
        broker: { ...text, default: 'mqtt://127.0.0.1:1883' },
        root: text,
        'data-dir': { ...text, default: './imlma-agent' },
        host: { ...text, default: '127.0.0.1' },
        port: { ...text, default: '4611' },
        config: text,
        log: { ...text, default: 'info' },
        version: { ...flag, short: 'V' },
        help: { ...flag, short: 'h' },
      },
    }).values
  } catch (cause) {
    return refuseOption((cause as Error).message)
  }
  if (given.help === true) return accept({ kind: 'tell', text: help })
  if (given.version === true) return accept({ kind: 'tell', text: version })
  const { name, site, broker, root, host, config } = given
  if (name === undefined || !isName(name)) return refuseOption(`--name is ${nameRule}`)
  if (site === undefined || !isName(site)) return refuseOption(`--site is ${nameRule}`)
  const port = Number(given.port)
  if (!/^\d+$/.test(given.port) || port > 65_535) return refuseOption('--port is 0 to 65535')
  const log = logLevels.find((level) => level === given.log)
  if (log === undefined) return refuseOption(`--log is one of ${logLevels.join(', ')}`)
  const files = { ...(root === undefined ? {} : { root }), ...(config === undefined ? {} : { config }) }
  return accept({
    kind: 'run',
    settings: { name, site, broker, dataDir: given['data-dir'], host, port, log, ...files },
  })
}

const nameRule = 'needed: letters, digits, _ and -; at most 64'

const refuseOption = (message: string) =>
  refuse('BAD_OPTION', message, 'imlma-agent --help lists the options')

const help = `Usage: imlma-agent --name <name> --site <site> [options]

Serves forecasts beside the meters, keeps readings until the control centre has them.

  --name <name>     name of this agent, unique at its site
  --site <site>     name of the site
  --broker <url>    MQTT broker of the control centre (mqtt://127.0.0.1:1883)
  --root <file>     trust root envelope; at the first start only, then the stored chain holds
  --data-dir <dir>  where all state lies (./imlma-agent)
  --host <address>  address of the local API (127.0.0.1)
  --port <number>   port of the local API; 0 takes a free one (4611)
  --config <file>   JSON file: sources and further settings
  --log <level>     what is logged: ${logLevels.join(', ')} (info)
  -V, --version     output the version number
  -h, --help        display this help

Example:
  imlma-agent --name gw-1 --site demo --broker mqtt://127.0.0.1:1883 --root root.json --data-dir agents/gw-1`
