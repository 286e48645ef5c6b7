/** When a run with `--rounds` or `--until` is over, and what it says at the end. */

import { once } from 'node:events'
import { setTimeout as pause } from 'node:timers/promises'
import { Failure } from '@imlma/protocol/result'
import { askFor, type Ask } from './ask.ts'
import type { StartOptions } from './options.ts'

const lookEveryMs = 250
/** Without any decision for so long the feed has ended, or something is broken. */
const silenceMsMax = 300_000

interface Figures {
  readonly mse: number | null
  readonly mae: number | null
  readonly r2: number | null
}

interface Round {
  readonly run: string
  readonly state: 'running' | 'decided' | 'completed' | 'failed'
  readonly version: number | null
  readonly trigger: unknown
  readonly rows: number | null
  readonly readings: number | null
  readonly datasetSha256: string | null
  readonly learner: string | null
  readonly parameters: unknown
  readonly window: unknown
  readonly champion: (Figures & { version: number | null; learner: string }) | null
  readonly challenger: Figures | null
  readonly verdict: string | null
  readonly reasons: readonly string[]
  readonly delayMs: unknown
}

interface Agent {
  readonly agent: string
  readonly presence: string
  readonly models: readonly { model: string; version: number | null; phase: string; pinned: boolean }[]
}

/**
 * Resolves when what was asked for has happened and every agent has reached its final state, or when `signal` ends the
 * waiting.
 */
export const awaitEnd = async (
  ask: Ask,
  agents: number,
  options: StartOptions,
  signal: AbortSignal,
): Promise<'reached' | 'asked'> => {
  if (options.rounds === undefined && options.until === undefined) {
    await once(signal, 'abort')
    return 'asked'
  }
  let progressAt = performance.now()
  let known = -1
  while (!signal.aborted) {
    const rounds = await askFor<Round[]>(ask, 'triggers?limit=500').catch(() => [])
    const completed = rounds.filter(({ state }) => state === 'completed')
    if (rounds.length !== known) progressAt = performance.now()
    known = rounds.length
    const isEnough =
      options.rounds === undefined
        ? completed.some(({ verdict }) => verdict === 'promote')
        : completed.length > options.rounds
    if (isEnough && (await areSettled(ask, agents).catch(() => false))) return 'reached'
    if (performance.now() - progressAt > silenceMsMax) {
      throw new Failure(
        'NO_MORE_ROUNDS',
        `${completed.length} versions were decided, then nothing for 5 minutes`,
        {
          hint: 'the file may have ended: give fewer --rounds, or a smaller --volume',
        },
      )
    }
    await pause(lookEveryMs, undefined, { signal }).catch(() => undefined)
  }
  return 'asked'
}

/** Every agent is there, idle, and serves the champion unless somebody pinned it. */
const areSettled = async (ask: Ask, agents: number): Promise<boolean> => {
  const [views, models] = await Promise.all([
    askFor<Agent[]>(ask, 'agents'),
    askFor<{ model: string; champion: { version: number } | null }[]>(ask, 'models'),
  ])
  if (views.filter(({ presence }) => presence === 'online').length < agents) return false
  return views.every(({ models: served }) =>
    models.every(({ model, champion }) => {
      const one = served.find((candidate) => candidate.model === model)
      // Before the first champion there is nothing to serve, and nothing to wait for.
      if (champion === null) return one === undefined || one.phase === 'idle'
      return one?.phase === 'idle' && (one.pinned || one.version === champion.version)
    }),
  )
}

/** Oldest round first. */
export const summarise = async (ask: Ask): Promise<unknown> => {
  const rounds = await askFor<Round[]>(ask, 'triggers?limit=500')
  const agents = await askFor<Agent[]>(ask, 'agents')
  return {
    rounds: rounds
      .filter(({ state }) => state === 'completed')
      .toReversed()
      .map((round) => ({
        version: round.version,
        trigger: round.trigger,
        readings: round.readings,
        rows: round.rows,
        datasetSha256: round.datasetSha256,
        learner: round.learner,
        hyperParameters: round.parameters,
        window: round.window,
        champion: round.champion,
        challenger: round.challenger,
        verdict: round.verdict,
        reasons: round.reasons,
        updateDelayMs: round.delayMs,
      })),
    agents: agents.map(({ agent, presence, models }) => ({ agent, presence, models })),
  }
}
