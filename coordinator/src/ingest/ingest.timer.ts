/**
 * Ingest: everything that arrives in one turn of the event loop is stored in one transaction, then acknowledged; what
 * is stored is folded a little later.
 *
 *   onReadings ─(verify)─judge─▶ queue ─(end of turn)─▶ accept ─▶ resolve (PUBACK) ─▶ ack per agent        … ─▶ fold
 *                                                └─ failure ─▶ reject (no PUBACK), try again until it recovers
 */

import { Failure } from '@imlma/protocol/result'
import {
  encodeJson,
  parseJsonMessage,
  presenceSchema,
  protocolVersion,
  type Ack,
  type Address,
} from '@imlma/protocol/wire'
import { limits } from '@imlma/protocol/limits'
import { countValues } from '../storage/recent-batches.ts'
import type { IncomingBatch, QuarantinedBatch } from '../storage/readings.ts'
import type { Ingest, IngestOptions, IngestParts } from './ingest.ts'
import { judgeReadings, type Judgement } from './judge.ts'
import { bounded, type VerifiedSignature, type VerifyBatchSignature } from './signatures.ts'

const dayMs = 86_400_000

/** Batches of one transaction: the turn of a thousand agents. More are stored before the turn ends. */
const groupBatchesMax = 1_024

/** Batches of one fold; nothing else is done meanwhile. */
const foldBatchesMax = 256

/** Batches that may wait to be folded: beyond, storing more waits for the fold, and agents for their PUBACK. */
const foldLagMax = 512

/** While signatures are being verified, what is verified waits so long for the others, to be stored in one transaction. */
const gatherMsMax = 20

/** An agent that is refused is told of once in so long; it tries again every minute. */
const refusalPauseMs = 600_000

interface Arrived {
  readonly agent: Address
  readonly payload: Uint8Array
  readonly receivedAt: number
}

interface Waiting<Batch> {
  readonly batch: Batch
  readonly resolve: () => void
  readonly reject: (failure: unknown) => void
}

export const createIngest = (
  { store, publishAck, now, onFailure, onRecovered, verifySignature, onRefused }: IngestParts,
  { futureMsMax = dayMs, foldIntervalMs = 200, retryDelayMs = 1_000 }: IngestOptions = {},
): Ingest => {
  let good: Waiting<IncomingBatch>[] = []
  let bad: Waiting<QuarantinedBatch>[] = []
  let commitTimer: NodeJS.Immediate | undefined
  let foldTimer: NodeJS.Timeout | undefined
  let retryTimer: NodeJS.Timeout | undefined
  /** Batches accepted since the start and not folded yet. */
  let foldLag = 0
  /** What an earlier process left is folded first. */
  let isCatchingUp = true
  const counts = { accepted: 0, readings: 0, duplicates: 0, notStored: 0, foldsFailed: 0, acksFailed: 0 }
  const quarantined: Record<string, number> = {}
  const tellRefused = onRefused && bounded(onRefused, refusalPauseMs)
  let isStopped = false
  let verifying = 0
  /** When the group that gathers now began (monotonic). */
  let gatheringSince = 0

  const count = (code: string): void => {
    quarantined[code] = (quarantined[code] ?? 0) + 1
  }

  const sendAck = async (agent: Address): Promise<void> => {
    try {
      const ack: Ack = { v: protocolVersion, seq: store.acknowledged(agent.site, agent.agent) }
      await publishAck(agent, encodeJson(ack))
    } catch (error) {
      if (!(error instanceof Failure)) throw error
      counts.acksFailed += 1
    }
  }

  /** At the end of a turn. While too much waits to be folded, that goes first, one fold a turn. */
  const commitSoon = (): void => {
    const isBehind = foldLag > foldLagMax && good.length + bad.length < groupBatchesMax
    if (isBehind && foldSome()) commitTimer = setImmediate(commitSoon)
    else commit()
  }

  const commit = (): void => {
    if (commitTimer !== undefined) clearImmediate(commitTimer)
    commitTimer = undefined
    const agents = new Map<string, Address>()
    const waiting = { good, bad }
    good = []
    bad = []
    storeAll(waiting.good, storeGood, agents)
    storeAll(waiting.bad, storeBad, agents)
    for (const agent of agents.values()) void sendAck(agent)
  }

  /** Stores a group, then lets its senders know; `agents` gathers who is owed an acknowledgement. */
  const storeAll = <Batch extends Address>(
    group: readonly Waiting<Batch>[],
    storeGroup: (batches: readonly Batch[]) => void,
    agents: Map<string, Address>,
  ): void => {
    if (group.length === 0) return
    const batches = group.map(({ batch }) => batch)
    try {
      storeGroup(batches)
    } catch (error) {
      counts.notStored += group.length
      for (const { reject } of group) reject(error)
      failed(error, () => storeGroup(batches.slice(0, 1)), batches[0]!)
      return
    }
    recovered()
    for (const { resolve } of group) resolve()
    for (const { site, agent } of batches) agents.set(`${site}/${agent}`, { site, agent })
  }

  const storeGood = (batches: readonly IncomingBatch[]): void => {
    store.accept(batches).forEach((acceptance, i) => {
      if (!acceptance.ok) count(acceptance.refusal.code)
      else if (acceptance.value.duplicate) counts.duplicates += 1
      else {
        counts.accepted += 1
        foldLag += 1
        counts.readings += countValues(batches[i]!.batch)
      }
    })
  }

  const storeBad = (batches: readonly QuarantinedBatch[]): void => {
    store.quarantine(batches)
    for (const { code } of batches) count(code)
  }

  /** Keeps one batch of the first group that failed and tries it until the store takes it. */
  const failed = (error: unknown, tryAgain: () => void, agent: Address): void => {
    if (!(error instanceof Failure)) throw error
    if (retryTimer !== undefined) return
    onFailure?.(error)
    const retry = (): void => {
      try {
        tryAgain()
      } catch {
        retryTimer = setTimeout(retry, retryDelayMs)
        return
      }
      recovered()
      void sendAck(agent)
    }
    retryTimer = setTimeout(retry, retryDelayMs)
  }

  const recovered = (): void => {
    if (retryTimer === undefined) return
    clearTimeout(retryTimer)
    retryTimer = undefined
    onRecovered?.()
  }

  /** Folds once; false when there was nothing to fold, or the store refused. */
  const foldSome = (): boolean => {
    try {
      const batches = store.fold(foldBatchesMax)
      foldLag = Math.max(0, foldLag - batches)
      isCatchingUp &&= batches > 0
      return batches > 0
    } catch (error) {
      if (!(error instanceof Failure)) throw error
      counts.foldsFailed += 1
      return false
    }
  }

  const foldOn = (): void => {
    // One fold a turn while there is more, so that connections are served in between. Then a pause, in which batches
    // of the same series gather: they are folded together.
    const isMore = foldSome() && (foldLag > 0 || isCatchingUp)
    foldTimer = setTimeout(foldOn, isMore ? 0 : foldIntervalMs)
  }

  const enqueue = (
    { agent, payload, receivedAt }: Arrived,
    judgement: Judgement,
    signature?: VerifiedSignature,
  ): Promise<void> => {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const common = { site: agent.site, agent: agent.agent, receivedAt, bytes: payload }
    if (judgement.verdict === 'take') {
      const proof = signature && { proof: signature }
      good.push({ batch: { ...common, batch: judgement.batch, ...proof }, resolve, reject })
    } else {
      const { seq, code, reason } = judgement
      bad.push({ batch: { ...common, seq, code, reason }, resolve, reject })
      if (verifySignature !== undefined) tellRefused?.(agent, { code, message: reason }, receivedAt)
    }
    const waiting = good.length + bad.length
    if (waiting === 1) gatheringSince = performance.now()
    if (waiting >= groupBatchesMax) commit()
    // Whoever is verified last comes by here too.
    else if (verifying === 0 || performance.now() - gatheringSince > gatherMsMax)
      commitTimer ??= setImmediate(commitSoon)
    return promise
  }

  /** Without a verified signature nothing in the batch is looked at: not its sequence either. */
  const enqueueVerified = async (arrived: Arrived, verify: VerifyBatchSignature): Promise<void> => {
    const { agent, payload, receivedAt } = arrived
    verifying += 1
    const verified = await verify(agent, payload, receivedAt)
    verifying -= 1
    // Stopped meanwhile: the agent still has it.
    if (isStopped) throw new Failure('STOPPED', 'ingest has stopped', { retryable: true })
    if (verified.ok) {
      const judgement = judgeReadings(payload, receivedAt + futureMsMax, verified.value)
      return enqueue(arrived, judgement, verified.value)
    }
    const { code, message: reason } = verified.refusal
    return enqueue(arrived, { verdict: 'quarantine', code, reason, seq: null })
  }

  return {
    onReadings: async (agent, payload) => {
      const arrived = { agent, payload, receivedAt: now() }
      if (verifySignature !== undefined) return enqueueVerified(arrived, verifySignature)
      return enqueue(arrived, judgeReadings(payload, arrived.receivedAt + futureMsMax))
    },
    onPresence: (agent, payload) => {
      const presence = parseJsonMessage(presenceSchema, payload, limits.jsonBytesMax)
      if (presence.ok && presence.value.state === 'online') void sendAck(agent)
    },
    start: () => {
      foldTimer ??= setTimeout(foldOn, 0)
    },
    stop: () => {
      isStopped = true
      commit()
      clearTimeout(foldTimer)
      clearTimeout(retryTimer)
      foldTimer = undefined
      retryTimer = undefined
    },
    counters: () => ({ ...counts, quarantined: { ...quarantined }, failing: retryTimer !== undefined }),
  }
}
