/**
 * `imlma rollback`, `pin`, `unpin`: a technician's signed order, published to the broker itself. Nothing of it needs
 * the control centre but the name of the model where it is left out.
 */

import { accept, Failure, refuse, type Result } from '@imlma/protocol/result'
import type { CommandResult, Operation } from '@imlma/protocol/wire'
import type { Answers, Arguments, Command, Context } from '../command.ts'
import { chooseModel, parseVersion } from '../model-choice.ts'
import { printTable } from '../print.ts'

type Target = 'previous' | number | null

const options = [
  { flags: '--agent <names>', about: 'agent, or several with commas' },
  { flags: '--all', about: 'every agent of the site' },
  { flags: '--model <name>', about: 'the model; may be left out where there is only one' },
  { flags: '--key <file>', about: 'the technician’s key (imlma keys new)', required: true },
  { flags: '--reason <text>', about: 'why; the agents record it', required: true },
  { flags: '--timeout <seconds>', about: 'how long to wait for the agents (default 30)' },
] as const

const createOrderCommand = (
  operation: Operation,
  summary: string,
  example: string,
  more: Command['options'] = [],
): Command => ({
  name: operation,
  summary,
  options: [...options.slice(0, 3), ...more, ...options.slice(3)],
  example,
  run: (context, given) => order(context, given, operation),
})

export const rollbackCommand = createOrderCommand(
  'rollback',
  'put an agent back on an earlier version, by a signed order',
  'imlma rollback --agent gw-1 --to previous --key technician.key --reason "forecasts too low since noon"',
  [{ flags: '--to <version>', about: '`previous` (default) or a version that the agent has on disk' }],
)

export const pinCommand = createOrderCommand(
  'pin',
  'hold an agent at what it serves: new assignments wait',
  'imlma pin --agent gw-1 --key technician.key --reason "meter test in progress"',
)

export const unpinCommand = createOrderCommand(
  'unpin',
  'let an agent take new versions again',
  'imlma unpin --agent gw-1 --key technician.key --reason "meter test finished"',
)

const order = async (context: Context, { options: given }: Arguments, operation: Operation) => {
  const { technician, settings, say } = context
  const agents = parseAgents(given)
  if (!agents.ok) return agents
  const target = operation === 'rollback' ? parseTarget(given.to) : accept(null)
  if (!target.ok) return target
  const timeoutMs = Number(given.timeout ?? 30) * 1_000
  if (!(timeoutMs > 0 && timeoutMs <= 3_600_000)) {
    return refuse('USAGE', `--timeout ${String(given.timeout)} is no time`, 'seconds from 1 to 3600')
  }
  const model = await chooseModelOrSay(context, given.model)
  if (!model.ok) return model
  const { site } = settings
  const { commandId, envelope, by } = await technician.sign(String(given.key), {
    site,
    agents: agents.value,
    model: model.value,
    operation,
    target: target.value,
    reason: String(given.reason),
  })
  say(`${operation} of ${model.value} at ${agents.value.join(', ')} as ${commandId}, signed by ${by}`)
  const onResult = (agent: string, { state, code, detail }: CommandResult) =>
    say(`${agent}: ${state}${code === null ? '' : ` ${code}`}${detail === '' ? '' : ` – ${detail}`}`)
  const answers = await context.sendCommand({
    envelope,
    commandId,
    site,
    agents: agents.value,
    timeoutMs,
    onResult,
  })
  return outcomeOf(commandId, model.value, answers, timeoutMs)
}

/** The order itself does not need the control centre: only a model that is not named does. */
const chooseModelOrSay = async ({ client }: Context, named: string | boolean | undefined) => {
  try {
    return await chooseModel(client, named)
  } catch (error) {
    if (!(error instanceof Failure) || error.code !== 'UNREACHABLE') throw error
    return refuse(
      'WHICH_MODEL',
      'the control centre, which knows the models, does not answer',
      'name the model with --model; the order itself goes to the broker',
    )
  }
}

const outcomeOf = (commandId: string, model: string, answers: Answers, timeoutMs: number) => {
  const list = [...answers].map(([agent, result]) => ({ agent, result: result ?? null }))
  const bad = list.filter(({ result }) => result?.state !== 'succeeded')
  const [first] = bad
  if (list.length === 0) {
    return refuse('NO_AGENT', 'no agent of the site is online', 'look with: imlma agents')
  }
  if (first !== undefined) {
    const { agent, result } = first
    if (result === null) {
      return refuse(
        'NO_ANSWER',
        `${bad.filter((answer) => answer.result === null).length} of ${list.length} agents did not answer within ${timeoutMs / 1_000} s, first ${agent}`,
        'is the agent connected to this broker? the order expires by itself within the hour',
      )
    }
    return refuse(
      result.code ?? 'FAILED',
      `${agent}: ${result.detail || result.state}`,
      hints[result.code ?? ''],
    )
  }
  const text = printTable(
    [{ title: 'AGENT' }, { title: 'STATE' }, { title: 'SERVES' }, { title: 'DETAIL' }],
    list.map(({ agent, result }) => [
      agent,
      result?.state ?? '–',
      servingOf(result, model),
      result?.detail ?? '',
    ]),
    '',
  )
  return accept({ text, json: { commandId, agents: list } })
}

const servingOf = (result: CommandResult | null, model: string): string => {
  const version = result?.serving[model] ?? null
  return version === null ? '–' : `v${version}`
}

const hints: Readonly<Record<string, string>> = {
  UNKNOWN_KEY:
    'the agent does not know this key yet: it learns of it from the control centre (imlma keys new)',
  NOT_AUTHORISED: 'this key is not a technician’s',
  NOT_ON_DISK: 'the agent keeps the active, the previous and the factory version; name one of them',
  QUARANTINED: 'this version has failed on that agent before and is never served again',
  EXPIRED: 'compare the clock of this machine with the agent’s',
  NOT_YET_VALID: 'compare the clock of this machine with the agent’s',
  REPLAYED: 'give the order again',
}

const parseAgents = (given: Arguments['options']): Result<[string, ...string[]]> => {
  if (given.all === true && given.agent === undefined) return accept(['*'])
  if (typeof given.agent !== 'string' || given.all === true) {
    return refuse('USAGE', 'whom is the order for?', 'either --agent NAME or --all')
  }
  const [first, ...others] = given.agent.split(',').map((name) => name.trim())
  const bad = [first, ...others].find((name) => !/^[A-Za-z0-9_-]{1,64}$/.test(name ?? ''))
  return first === undefined || bad !== undefined
    ? refuse('USAGE', `${bad ?? ''} is no agent’s name`, 'letters, digits, - and _')
    : accept([first, ...others])
}

const parseTarget = (to: string | boolean | undefined): Result<Target> =>
  to === undefined || to === 'previous' ? accept('previous') : parseVersion(String(to))
