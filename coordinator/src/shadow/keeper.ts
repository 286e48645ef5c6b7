/**
 * Keeps the book of every version in shadow: opens one when the registry says that a shadow began, adds what agents
 * report, writes it down now and then, and says when a verdict has fallen.
 *
 * A report counts once: its identity is written in the same document as its sums. What a power cut takes away between
 * two writings is lost for champion and challenger alike, and so favours neither. A verdict is a fact as soon as the
 * registry has it; one that was not appended follows from the same book again.
 */

import type { Report } from '@imlma/protocol/wire'
import type { AgentRecord, Fleet } from '../fleet/fleet.ts'
import type { RegistryEvent } from '../registry/events.ts'
import type { Registry, VersionRecord } from '../registry/registry.ts'
import type { StateStore } from '../storage/states.ts'
import {
  beginBook,
  evidenceOf,
  shadowBookSchema,
  stepBook,
  verdictAt,
  type ShadowBook,
  type ShadowRules,
} from './book.ts'
import { toDecision, toEvidence } from './decision.ts'

interface ShadowKeeperParts {
  readonly registry: Pick<Registry, 'shadow' | 'champion' | 'version' | 'subscribe'>
  readonly fleet: Pick<Fleet, 'subscribe'>
  readonly states: StateStore
  readonly now: () => number
  readonly onFailure: (error: unknown) => void
}

/** How far the proof of the version in shadow is. */
export interface ShadowProgress {
  readonly version: number
  readonly champion: number
  /** Days that the tests have seen, and the most that they wait for. */
  readonly days: number
  readonly daysMax: number
  readonly pairs: number
  readonly latePairs: number
  /** Agents that have reported a comparison. */
  readonly agents: number
  /** Wealth of the bet on "better", of the loss that is further from a proof, and what makes one. */
  readonly evidence: number
  readonly worse: number
  readonly needed: number
}

export interface ShadowKeeper {
  /** The facts that follow from a verdict, or from a new champion; none while there is nothing to say. */
  readonly conclude: (model: string) => Promise<readonly RegistryEvent[]>
  readonly progress: (model: string) => ShadowProgress | undefined
  /** Writes what changed since the last time. */
  readonly flush: () => Promise<void>
  readonly stop: () => Promise<void>
}

const room = 'shadow'

/** Goes on with the books that were kept. `rules` by model. */
export const createShadowKeeper = async (
  parts: ShadowKeeperParts,
  rules: ReadonlyMap<string, ShadowRules>,
): Promise<ShadowKeeper> => {
  const { registry, states, now } = parts
  const books = new Map(await states.loadAll(room, shadowBookSchema))
  const changed = new Set<string>()
  /** Models whose champion was looked at since their last fact. */
  const compared = new Set<string>()

  /** Brings the book in line with the registry: it alone says what is in shadow. */
  const follow = async (model: string): Promise<void> => {
    const record = await registry.shadow(model)
    const rule = rules.get(model)
    const book = books.get(model)
    if (book !== undefined && (record === undefined || rule === undefined || !isOf(book, record))) {
      books.delete(model)
      await states.remove(room, model)
    }
    if (record === undefined || rule === undefined || books.has(model)) return
    books.set(model, beginBook(toBeginning(record), rule))
    changed.add(model)
  }

  for (const model of new Set([...rules.keys(), ...books.keys()])) await follow(model)
  const endRegistry = registry.subscribe(({ event }) => {
    if (!concerns.has(event.kind) || !('model' in event) || event.model === null) return
    compared.delete(event.model)
    follow(event.model).catch(parts.onFailure)
  })
  const endFleet = parts.fleet.subscribe((change) => {
    if (change.kind === 'report') hear(change.agent, change.report)
  })

  const hear = ({ site, agent }: AgentRecord, report: Report): void => {
    for (const { model, champion, challenger, challengerSha256, days } of report.comparisons ?? []) {
      const [book, rule] = [books.get(model), rules.get(model)]
      if (book === undefined || rule === undefined) continue
      if (book.champion !== champion || book.version !== challenger) continue
      if (book.artifactSha256 !== challengerSha256) continue
      const { bootId, windowStart, windowEnd } = report
      const told = { agent: `${site}/${agent}`, report: `${bootId} ${windowStart} ${windowEnd}` }
      const next = stepBook(book, { ...told, days, at: now() }, rule)
      if (next === book) continue
      books.set(model, next)
      changed.add(model)
    }
  }

  const superseded = async (book: ShadowBook): Promise<boolean> => {
    if (compared.has(book.model)) return false
    compared.add(book.model)
    return (await registry.champion(book.model))?.version !== book.champion
  }

  const flush = async (): Promise<void> => {
    const models = [...changed].filter((model) => books.has(model))
    changed.clear()
    try {
      await states.saveAll(room, new Map(models.map((model) => [model, books.get(model)])), now())
    } catch (cause) {
      for (const model of models) changed.add(model)
      throw cause
    }
  }

  return {
    conclude: async (model) => {
      const [book, rule] = [books.get(model), rules.get(model)]
      if (book === undefined || rule === undefined) return []
      const verdict = verdictAt(book, now(), rule)
      const isSuperseded = await superseded(book)
      if (verdict === 'inconclusive' && !isSuperseded) return []
      // Whatever follows is said again until the registry has it, and then the book is gone.
      compared.delete(model)
      const record = await registry.shadow(model)
      if (record === undefined || !isOf(book, record)) return []
      const { run, version } = record
      const ended = { kind: 'shadow-ended' as const, model, run, version, evidence: toEvidence(book, rule) }
      if (isSuperseded || verdict === 'inconclusive') return [{ ...ended, reason: 'superseded' }]
      const learner = (await registry.version(model, book.champion))?.learner ?? ''
      const decision = toDecision(book, verdict, rule, learner)
      return [
        { ...ended, reason: verdict },
        { kind: 'version-decided', model, run, version, decision },
      ]
    },
    progress: (model) => {
      const [book, rule] = [books.get(model), rules.get(model)]
      if (book === undefined || rule === undefined) return undefined
      const { version, champion, total, latePairs, agents } = book
      const { evidence, worse, needed } = evidenceOf(book, rule)
      const { days, count: pairs } = total
      const said = { days, daysMax: rule.daysMax, pairs, latePairs, agents: Object.keys(agents).length }
      return { version, champion, ...said, evidence, worse, needed }
    },
    flush,
    stop: async () => {
      endRegistry()
      endFleet()
      await flush()
    },
  }
}

/** Facts after which another version may be in shadow, or another one champion: it is one once it is signed. */
const concerns: ReadonlySet<RegistryEvent['kind']> = new Set([
  'shadow-started',
  'shadow-ended',
  'version-signed',
])

const isOf = (book: ShadowBook, { version, shadow, artifact }: VersionRecord): boolean =>
  book.version === version && book.champion === shadow?.champion && book.artifactSha256 === artifact.sha256

const toBeginning = ({ model, version, shadow, artifact }: VersionRecord) => ({
  model,
  version,
  champion: shadow?.champion ?? 0,
  artifactSha256: artifact.sha256,
  heardAt: shadow?.startedAt ?? 0,
})
