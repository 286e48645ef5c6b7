/** The command line of `npm start`. */

import { Command, InvalidArgumentError, Option } from 'commander'

export interface StartOptions {
  readonly data?: string
  readonly columns?: readonly string[]
  readonly timeColumn?: string
  readonly interval?: number
  readonly unit?: string
  /** Event seconds per real second. */
  readonly speed?: number
  readonly historyDays?: number
  readonly volume?: number
  readonly retrainAfter?: number
  readonly learner?: string
  readonly trials?: number
  readonly meters: number
  readonly agents: number
  readonly seed: number
  readonly rounds?: number
  readonly until?: 'first-version'
  readonly dataDir?: string
  readonly port: number
  readonly mqttPort: number
  readonly mqttsPort: number
  readonly gatewayPort: number
  readonly agentPort: number
}

/** Ends the process on `--help` and on what it does not understand. */
export const parseOptions = (argv: readonly string[]): StartOptions =>
  new Command('npm start --')
    .description('Starts the control centre, agents and a feed of readings on this machine.')
    .option('--data <file>', 'replay this CSV file instead of the simulated meters')
    .option('--columns <names>', 'columns of the file to replay, separated by commas', toList)
    .option('--time-column <name>', 'column of the file that holds the time')
    .option('--interval <minutes>', 'interval of the file, where it cannot be found', toPositive)
    .option('--unit <name>', 'unit of the readings of the file')
    .option('--speed <factor>', 'event seconds per real second (the default depends on the feed)', toPositive)
    .option('--history-days <days>', 'days of history that are there at the start', toPositive)
    .option('--volume <readings>', 'new readings that start a training', toCount)
    .option('--retrain-after <seconds>', 'real time that starts a training, whatever the readings', toCount)
    .addOption(
      new Option(
        '--learner <name>',
        'auto: searched at every training (default: ridge, or perceptron with --data)',
      ).choices(['ridge', 'trees', 'perceptron', 'recurrent', 'seasonal-naive', 'auto']),
    )
    .option('--trials <number>', 'trials of a search (auto)', toCount)
    .option('--meters <number>', 'simulated meters', toCount, 60)
    .option('--agents <number>', 'agents (as many as series, where there are fewer)', toCount, 3)
    .option('--seed <number>', 'seed of the simulated meters', toCount, 1)
    .option('--rounds <number>', 'end after so many decided versions beyond the first', toCount)
    .addOption(
      new Option('--until <event>', 'end when this has happened')
        .choices(['first-version'])
        .conflicts('rounds'),
    )
    .option(
      '--data-dir <dir>',
      'where all state lies (.imlma/simulated, or .imlma/ and the name of the file)',
    )
    .option('--port <number>', 'port of API and page; 0 takes a free one', toPort, 4_600)
    .option('--mqtt-port <number>', 'port of the broker for commands; 0 takes a free one', toPort, 1_883)
    .option('--mqtts-port <number>', 'its port for agents; 0 takes a free one', toPort, 8_883)
    .option('--gateway-port <number>', 'port where agents enrol; 0 takes a free one', toPort, 8_443)
    .option('--agent-port <number>', 'port of the first agent; 0 takes free ones', toPort, 4_611)
    .addHelpText('after', examples)
    .parse([...argv])
    .opts<StartOptions>()

const examples = `
Examples:
  npm start
  npm start -- --data ../shared/data/vic_electricity.csv
  npm start -- --rounds 3 --data-dir demo     ends by itself; the last line is one JSON object`

const toPositive = (text: string): number => {
  const value = Number(text)
  if (!Number.isFinite(value) || value <= 0) throw new InvalidArgumentError('A number above 0.')
  return value
}

const toCount = (text: string): number => {
  const value = Number(text)
  if (!Number.isInteger(value) || value < 1) throw new InvalidArgumentError('A whole number from 1 on.')
  return value
}

const toPort = (text: string): number => {
  const port = Number(text)
  if (!Number.isInteger(port) || port < 0 || port > 65_535) throw new InvalidArgumentError('0 to 65535.')
  return port
}

const toList = (text: string): readonly string[] =>
  text
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '')
