/**
 * `imlma rollback`, `pin`, `unpin`: a technician's signed order, published to the broker itself. Nothing of it needs
 * the control centre but the name of the model where it is left out. An order to more than one agent waits in a file until
 * a second person has approved it (`approve.ts`).
 */

import { accept, Failure, refuse, type Result } from '@imlma/protocol/result'
import type { Operation } from '@imlma/protocol/wire'
import type { Arguments, Command, Context } from '../command.ts'
import { chooseModel, parseVersion } from '../model-choice.ts'
import { parseTimeout, personsNeeded, sendOrder } from './order-sending.ts'
import { parsePaths } from './root-options.ts'

type Target = 'previous' | number | null

const options = [
  { flags: '--agent <names>', about: 'agent, or several with commas' },
  { flags: '--all', about: 'every agent of the site' },
  { flags: '--model <name>', about: 'the model; may be left out where there is only one' },
  {
    flags: '--key <files>',
    about: 'the technician’s key (imlma keys new); for more than one agent, keys of two people with a comma',
    required: true,
  },
  { flags: '--reason <text>', about: 'why; the agents record it', required: true },
  { flags: '--out <file>', about: 'where an order for several agents waits for the second person' },
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
  const timeoutMs = parseTimeout(given.timeout)
  if (!timeoutMs.ok) return timeoutMs
  const model = await chooseModelOrSay(context, given.model)
  if (!model.ok) return model
  const { site } = settings
  const { commandId, envelope, by } = await technician.sign(parsePaths(given.key), {
    site,
    agents: agents.value,
    model: model.value,
    operation,
    target: target.value,
    reason: String(given.reason),
  })
  say(
    `${operation} of ${model.value} at ${agents.value.join(', ')} as ${commandId}, signed by ${by.join(' and ')}`,
  )
  const needed = await personsNeeded(context, agents.value)
  const people = new Set(by.map((name) => name.trim().toLowerCase())).size
  if (people < needed) {
    const path = typeof given.out === 'string' ? given.out : `${commandId}.pending.json`
    await technician.writePending(path, envelope)
    const text = [
      `nothing was sent: an order for more than one agent needs ${needed} people, ${people} signed it`,
      `next   imlma approve ${path} --key FILE, within the hour`,
    ].join('\n')
    return accept({ text, json: { commandId, pending: path, signedBy: by, needed } })
  }
  return sendOrder(
    context,
    { envelope, commandId, site, agents: agents.value, model: model.value },
    timeoutMs.value,
  )
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
