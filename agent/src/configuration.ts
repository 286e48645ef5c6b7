/** The file of an agent's configuration: where readings come from, and what may differ from the defaults. */

import { z } from 'zod'
import { accept, refuse, type Result } from '@imlma/protocol/result'
import { nameSchema } from '@imlma/protocol/wire'
import { forecastedSchema } from './serving/baseline.ts'
import { logLevels } from './log-level.ts'
import { toProblems } from './configuration-problems.ts'
import { sourceConfigsSchema } from './sources/config.ts'

const inferenceSchema = z.strictObject({
  /**
   * `worker`: each loaded version runs in a process of its own, so that one that hangs, crashes or takes all memory costs
   * that process only. `none`: in the agent's own, for simulated fleets of many agents on one machine.
   */
  isolation: z.enum(['worker', 'none']).default('worker'),
  /** Bytes that one version may allocate in its worker: five times what the largest models of a gateway need. */
  memoryBytesMax: z
    .int()
    .min(64 * 1_048_576)
    .max(2 ** 36)
    .default(512 * 1_048_576),
  /**
   * Milliseconds that a run has at least before its worker is replaced; more where five times the signed latency budget
   * is more, and a millisecond for each row. Long enough for a gateway that is busy with something else for a moment.
   */
  runMsMin: z.int().min(50).max(600_000).default(2_000),
})

export const configurationSchema = z.strictObject({
  /** Where readings come from; none: they are posted to the local API, or there are none. */
  sources: sourceConfigsSchema.default([]),
  /** Name of this agent, where it is not enrolled: an identity says it, and comes before it. */
  name: nameSchema.exactOptional(),
  /** Name of the site, where this agent is not enrolled. */
  site: nameSchema.exactOptional(),
  /** Address of the MQTT broker; usually the one told at enrolment, or `mqtt://127.0.0.1:1883`. */
  broker: z.string().min(1).max(2_048).exactOptional(),
  /** File of the first trust root, where this agent is not enrolled; needed at the first start only. */
  root: z.string().min(1).max(4_096).exactOptional(),
  /** Address of the local API: this machine only, because whoever reaches it may post readings. */
  host: z.string().min(1).max(255).default('127.0.0.1'),
  /** Port of the local API; 0 takes a free one. */
  port: z.int().min(0).max(65_535).default(4_611),
  /** What is logged: this level, and what is more serious. */
  log: z.enum(logLevels).default('info'),
  /** Bytes of the log on disk, in four files that follow each other; 0: standard error only. Weeks, at one line a minute. */
  logBytesMax: z
    .int()
    .min(0)
    .max(1_073_741_824)
    .default(8 * 1_048_576),
  /** Milliseconds of real time between two monitoring windows. */
  reportEveryMs: z.int().min(100).max(3_600_000).default(10_000),
  /**
   * Bytes of readings that wait for the control centre; beyond, the oldest are dropped and counted, those that were
   * history when they came first. Three days of 1,000 meters at 1-minute readings take a quarter of it.
   */
  outboxBytesMax: z
    .int()
    .min(1_048_576)
    .max(2 ** 40)
    .default(256 * 1_048_576),
  /** How models run. */
  inference: inferenceSchema.prefault({}),
  /**
   * Bytes a second that a backlog may take of the link, beside live readings, which have no limit; 0: whatever there is.
   * To be set where the link is shared or paid for by volume.
   */
  backlogBytesPerSecondMax: z.int().min(0).max(1_000_000_000).default(0),
  /** Milliseconds of silence after which an interval closes without its last meters. */
  settleMs: z.int().min(10).max(600_000).default(1_000),
  /**
   * What is forecast by the factory version (seasonal naive) while no released version of the model of this name answers:
   * the usual quarter-hourly energy, so that a new gateway forecasts from its first day. `{}`: nothing. What a released
   * version forecast counts from then on.
   */
  factory: z.record(nameSchema, forecastedSchema).default({
    load: {
      quantity: 'active energy',
      unit: 'kWh',
      register: '1-0:1.29.0',
      intervalMs: 900_000,
      horizon: 96,
      seasonSteps: 96,
    },
  }),
  /**
   * Bytes of model files on disk. What no model needs goes first, and a version that does not fit beside the active and
   * the previous ones is not fetched: it has the largest model three times.
   */
  modelsBytesMax: z
    .int()
    .min(1_048_576)
    .max(2 ** 40)
    .default(768 * 1_048_576),
  /** Bytes a second below which a download is given up, to be tried again later; 0: never. A slow radio has 10 kB/s. */
  transferBytesPerSecondMin: z.int().min(0).max(1_000_000_000).default(256),
  /** Runs that a new version answers well before it is committed. */
  probationForecasts: z.int().min(1).max(1_000_000).default(3),
  /**
   * Hours of readings through which a new version has to answer beside the champion; errors are compared as the actuals
   * come. 0 leaves it at the runs, and at a moment of quiet where nothing is asked: a gateway in the field has a day or more.
   */
  probationHours: z.number().min(0).max(240).default(0),
  /** Error of a new version on probation against the champion's (MAE and RMSE) above which it is taken back. */
  probationErrorRatioMax: z.number().min(1).max(100).default(1.2),
})
export type Configuration = Readonly<z.infer<typeof configurationSchema>>

export const defaultConfiguration: Configuration = configurationSchema.parse({})

/** The configuration in a file's text; the refusal names everything that is wrong, a line each. */
export const parseConfiguration = (text: string): Result<Configuration, 'BAD_CONFIGURATION'> => {
  const hint = 'mend the file that --config names; imlma-agent check --config FILE says whether it is right'
  let document: unknown
  try {
    document = JSON.parse(text)
  } catch (cause) {
    return refuse('BAD_CONFIGURATION', `no JSON: ${cause instanceof Error ? cause.message : ''}`, hint)
  }
  const parsed = configurationSchema.safeParse(document)
  if (parsed.success) return accept(parsed.data)
  return refuse('BAD_CONFIGURATION', toProblems(parsed.error, document).join('\n'), hint)
}

/** Settings that a running agent takes over; the others wait for its next start. */
const takenOverLive: readonly string[] = ['sources', 'log'] satisfies (keyof Configuration)[]

/** Names of settings that differ and need a restart. */
export const needRestart = (running: Configuration, wanted: Configuration): readonly string[] =>
  Object.keys(configurationSchema.shape).filter((name) => {
    const of = (configuration: Configuration): string =>
      JSON.stringify(configuration[name as keyof Configuration]) ?? ''
    return !takenOverLive.includes(name) && of(running) !== of(wanted)
  })
