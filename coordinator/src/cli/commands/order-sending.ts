/** A signed order on its way to the broker, and what the agents answer; how many people must have signed it. */

import { accept, Failure, refuse, type Result } from '@imlma/protocol/result'
import { groupThresholdDefault, personOf, type Envelope, type TrustRoot } from '@imlma/protocol/trust'
import type { CommandResult } from '@imlma/protocol/wire'
import type { Answers, Context } from '../command.ts'
import { printTable } from '../print.ts'

export interface SignedOrder {
  readonly envelope: Envelope
  readonly commandId: string
  readonly site: string
  readonly agents: readonly string[]
  readonly model: string
}

export const parseTimeout = (given: string | boolean | undefined): Result<number> => {
  const timeoutMs = Number(given ?? 30) * 1_000
  return timeoutMs > 0 && timeoutMs <= 3_600_000
    ? accept(timeoutMs)
    : refuse('USAGE', `--timeout ${String(given)} is no time`, 'seconds from 1 to 3600')
}

/** One for one agent. For more, what the trust root says where it is at hand; the agents know it in any case. */
export const personsNeeded = async (
  context: Pick<Context, 'roots' | 'settings'>,
  agents: readonly string[],
): Promise<number> => {
  if (!agents.includes('*') && new Set(agents).size <= 1) return 1
  const root = await readRoot(context)
  return root?.roles.technician.groupThreshold ?? groupThresholdDefault
}

/** People who stand on the envelope, as far as their names are known here. */
export const personsSigned = async (
  context: Pick<Context, 'roots' | 'settings'>,
  { signatures }: Envelope,
): Promise<number> => {
  const root = await readRoot(context)
  const keyids = signatures.map(({ keyid }) => keyid)
  if (root === undefined) return new Set(keyids).size
  const holders = root.roles.technician.keyids.filter((keyid) => keyids.includes(keyid))
  return new Set(holders.map((keyid) => personOf(root, keyid))).size
}

const readRoot = async ({
  roots,
  settings,
}: Pick<Context, 'roots' | 'settings'>): Promise<TrustRoot | undefined> => {
  try {
    return await roots.read(settings.dataDir)
  } catch (error) {
    if (!(error instanceof Failure)) throw error
    return undefined
  }
}

export const sendOrder = async (context: Context, order: SignedOrder, timeoutMs: number) => {
  const { envelope, commandId, site, agents, model } = order
  const onResult = (agent: string, { state, code, detail }: CommandResult) =>
    context.say(`${agent}: ${state}${code === null ? '' : ` ${code}`}${detail === '' ? '' : ` – ${detail}`}`)
  const answers = await context.sendCommand({ envelope, commandId, site, agents, timeoutMs, onResult })
  return outcomeOf(commandId, model, answers, timeoutMs)
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
  NOT_AUTHORISED:
    'the key is no technician’s, or the order is for more than one agent and needs two people (imlma approve)',
  NOT_ON_DISK: 'the agent keeps the active, the previous and the factory version; name one of them',
  QUARANTINED: 'this version has failed on that agent before and is never served again',
  EXPIRED: 'compare the clock of this machine with the agent’s',
  NOT_YET_VALID: 'compare the clock of this machine with the agent’s',
  REPLAYED: 'give the order again',
}
