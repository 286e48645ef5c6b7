/** The command line of an agent. */

import { Command, InvalidArgumentError, Option } from 'commander'
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

/** `argv` as of `process.argv`. Ends the process on `--help`, `--version` and on what it does not understand. */
export const parseSettings = (argv: readonly string[], version: string): Settings =>
  new Command('imlma-agent')
    .description('Serves forecasts beside the meters, keeps readings until the control centre has them.')
    .version(version)
    .requiredOption('--name <name>', 'name of this agent, unique at its site', toName)
    .requiredOption('--site <site>', 'name of the site', toName)
    .option('--broker <url>', 'MQTT broker of the control centre', 'mqtt://127.0.0.1:1883')
    .option('--root <file>', 'trust root envelope; at the first start only, then the stored chain holds')
    .option('--data-dir <dir>', 'where all state lies', './imlma-agent')
    .option('--host <address>', 'address of the local API', '127.0.0.1')
    .option('--port <number>', 'port of the local API; 0 takes a free one', toPort, 4_611)
    .option('--config <file>', 'JSON file: sources and further settings')
    .addOption(new Option('--log <level>', 'what is logged').choices(logLevels).default('info'))
    .addHelpText('after', example)
    .parse([...argv])
    .opts<Settings>()

const example = `
Example:
  imlma-agent --name gw-1 --site demo --broker mqtt://127.0.0.1:1883 --root root.json --data-dir agents/gw-1`

const toName = (text: string): string => {
  if (!isName(text)) throw new InvalidArgumentError('Letters, digits, _ and -; at most 64.')
  return text
}

const toPort = (text: string): number => {
  const port = Number(text)
  if (!Number.isInteger(port) || port < 0 || port > 65_535) throw new InvalidArgumentError('0 to 65535.')
  return port
}
