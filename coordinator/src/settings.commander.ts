/** The command line of the coordinator. */

import { Command, InvalidArgumentError, Option } from 'commander'
import { isName } from '@imlma/protocol/wire'

export const logLevels = ['fatal', 'error', 'warn', 'info', 'debug', 'silent'] as const
export type LogLevel = (typeof logLevels)[number]

/** Which part of the control centre this process is: `broker` takes readings in, `control` does everything else. */
export type Part = 'all' | 'broker' | 'control'

export interface Settings {
  readonly part: Part
  readonly dataDir: string
  readonly site: string
  readonly host: string
  /** HTTP: API and page. */
  readonly port: number
  /** `off`: nobody comes in without a certificate. */
  readonly mqttPort: number | 'off'
  /** Of the embedded broker, for agents with certificates. */
  readonly mqttsPort: number
  /** An outside broker, or the `broker` part in another process. */
  readonly broker?: string
  /** PEM files for an outside broker that knows none of our authority. */
  readonly brokerCa?: string
  readonly brokerCert?: string
  readonly brokerKey?: string
  readonly models?: string
  /** Makes a certificate authority where there is none; a site that has one is certified with or without it. */
  readonly tls: boolean
  /** HTTPS: enrolment, renewal and artifacts for gateways. */
  readonly gatewayPort: number
  /** Names under which gateways reach this control centre; the first is the one they are told. */
  readonly publicHost?: readonly string[]
  /** `simulated`: readings may carry times ahead of this machine's clock. */
  readonly clock: 'real' | 'simulated'
  readonly log: LogLevel
  /** PEM files for API and page. */
  readonly apiCert?: string
  readonly apiKey?: string
}

/** `argv` as of `process.argv`. Ends the process on `--help`, `--version` and on what it does not understand. */
export const parseSettings = (argv: readonly string[], version: string): Settings => {
  let settings: Settings | undefined
  const program = new Command('imlma-coordinator')
    .description('The control centre: takes readings in, retrains, decides, signs and rolls versions out.')
    .version(version)
    .addHelpText('after', examples)
  const take = (part: Part) => (options: Omit<Settings, 'part'>) => {
    settings = { part, ...options }
  }
  const everywhere = (command: Command): Command =>
    command
      .option('--data-dir <dir>', 'where all state lies', './imlma-coordinator')
      .option('--site <name>', 'name of the site', toName, 'demo')
      .option('--host <address>', 'address to listen on', '127.0.0.1')
      .option('--port <number>', 'port of API and page; 0 takes a free one', toPort, 4_600)
      .option(
        '--mqtt-port <number>',
        'plain port of the embedded broker, or off; 0 takes a free one',
        toMqttPort,
        1_883,
      )
      .option('--mqtts-port <number>', 'its port for agents with certificates', toPort, 8_883)
      .option('--broker <url>', 'use this broker instead of the embedded one')
      .option(
        '--broker-ca <file>',
        'authority of an outside broker, PEM; the site’s own where nothing is said',
      )
      .option('--broker-cert <file>', 'certificate to show it, PEM')
      .option('--broker-key <file>', 'its key, PEM')
      .option('--api-cert <file>', 'certificate of API and page, PEM; needed beyond this machine')
      .option('--api-key <file>', 'its key, PEM')
      .option('--tls', 'certificates for agents: makes a certificate authority where there is none', false)
      .option('--gateway-port <number>', 'port where gateways enrol; 0 takes a free one', toPort, 8_443)
      .option('--public-host <names>', 'names under which gateways reach us, separated by commas', toHosts)
      .option('--models <file>', 'JSON file with the definitions of the models')
      .addOption(
        new Option('--clock <kind>', 'simulated: readings may lie ahead of our clock')
          .choices(['real', 'simulated'])
          .default('real'),
      )
      .addOption(new Option('--log <level>', 'what is logged').choices(logLevels).default('info'))
  everywhere(program).action(take('all'))
  everywhere(
    program.command('broker').description('only the embedded broker and the store of readings'),
  ).action(take('broker'))
  everywhere(
    program.command('control').description('everything else, beside a broker part or an outside broker'),
  ).action(take('control'))
  // Options before a sub-command would silently belong to the program and be lost.
  program.enablePositionalOptions().parse([...argv])
  if (settings === undefined) throw new Error('commander runs one action or ends the process')
  return settings
}

const examples = `
Examples:
  imlma-coordinator --data-dir site-a --models models.json
  imlma-coordinator broker --data-dir site-a                     (two processes: readings and commands
  imlma-coordinator control --data-dir site-a --models models.json   flow while control is restarted)`

const toName = (text: string): string => {
  if (!isName(text)) throw new InvalidArgumentError('Letters, digits, _ and -; at most 64.')
  return text
}

const toHosts = (text: string): readonly string[] => {
  const hosts = text.split(',').map((host) => host.trim())
  if (hosts.length <= 32 && hosts.every((host) => /^[A-Za-z0-9.:-]{1,253}$/.test(host))) return hosts
  throw new InvalidArgumentError('Host names or addresses, separated by commas; at most 32.')
}

const toMqttPort = (text: string): number | 'off' => (text === 'off' ? text : toPort(text))

const toPort = (text: string): number => {
  const port = Number(text)
  if (!Number.isInteger(port) || port < 0 || port > 65_535) throw new InvalidArgumentError('0 to 65535.')
  return port
}
