/**
 * What a challenger in shadow has shown so far: agents' paired sums by day, and after each day the word of two tests
 * that may be looked at every day.
 *
 *   report ──▶ new? ──▶ open days ── over ──▶ block ── long enough ──▶ squared, absolute ──▶ verdict
 *                │          (a day that was closed already: counted as late, not used)
 *                └ known: changes nothing
 *
 * A day is over when every reporting agent has gone past it by event time, or when half of them are `graceDays` past it:
 * one gateway that is cut off must not hold up the fleet, one wrong clock must not close the days of all. An agent counts
 * as reporting until it was silent for `agentSilenceMs`. What comes later is left out for both models alike, and so
 * favours neither.
 *
 * The tests need days whose losses are fair given the days before; forecasts that reach further than a day need blocks
 * that are longer than they reach. Nothing but `stepBook` changes a book, and a verdict stands.
 */

import { z } from 'zod'
import type { ComparedDay } from '@imlma/protocol/wire'
import { epochMsSchema, nameSchema, sha256Schema } from '@imlma/protocol/wire'
import {
  createSequentialTest,
  sequentialDefaults,
  sequentialStateSchema,
  type SequentialTest,
} from '../gate/sequential.ts'
import { addPairs, meanLosses, noPairs, pairedMetrics, pairedSumsSchema } from './sums.ts'

export const dayMs = 86_400_000

export interface ShadowRules {
  /** Days of targets that make one step of the tests. */
  readonly blockDays: number
  /** Days after which a challenger without proof leaves the shadow. */
  readonly daysMax: number
  /** How far half of the agents go past a day before it is closed without the others. */
  readonly graceDays: number
  /** Real time after which an agent that says nothing is not waited for. */
  readonly agentSilenceMs: number
  /** Real time after which a shadow of which nobody reports anything ends. */
  readonly silenceMsMax: number
  /** Identities of reports kept per agent: more than it has in flight at the same time. */
  readonly reportsMax: number
  /** Open days; the oldest is closed when there are more, so that wrong clocks cannot fill memory. */
  readonly openDaysMax: number
}

const shadowDefaults: ShadowRules = {
  blockDays: 1,
  daysMax: sequentialDefaults.daysMax,
  // A weekend without a link.
  graceDays: 2,
  agentSilenceMs: 2 * dayMs,
  // Two weeks without a single pair: no agent can run it, or none serves the champion that it is compared with.
  silenceMsMax: 14 * dayMs,
  reportsMax: 16,
  openDaysMax: 32,
}

/** A horizon of a day or less is judged day by day, a longer one by blocks that are longer than it. */
export const shadowRules = (horizonMs: number, rules: Partial<ShadowRules> = {}): ShadowRules => ({
  ...shadowDefaults,
  blockDays: horizonMs <= dayMs ? 1 : Math.floor(horizonMs / dayMs) + 1,
  ...rules,
})

const daySchema = pairedSumsSchema.extend({ day: epochMsSchema })

export const shadowBookSchema = z.object({
  v: z.literal(1),
  model: nameSchema,
  version: z.number().int().min(1),
  champion: z.number().int().min(1),
  artifactSha256: sha256Schema,
  /** This side's clock: when anything was heard last, at first when the shadow began. */
  heardAt: epochMsSchema,
  /** By `site/agent`: the latest day that it reported, when it was heard, and which reports are in the sums. */
  agents: z.record(
    z.string(),
    z.object({ upTo: epochMsSchema, heardAt: epochMsSchema, reports: z.array(z.string()).readonly() }),
  ),
  /** Ascending. */
  open: z.array(daySchema).readonly(),
  closedUpTo: epochMsSchema.nullable(),
  /** Closed days that are not a block yet. */
  block: pairedSumsSchema.extend({ days: z.number().int().min(0) }),
  /** Everything that the tests have seen; `window` is from the first to the last closed day. */
  total: pairedSumsSchema.extend({ days: z.number().int().min(0) }),
  window: z.object({ start: epochMsSchema, end: epochMsSchema }).nullable(),
  latePairs: z.number().int().min(0),
  squared: sequentialStateSchema,
  absolute: sequentialStateSchema,
  verdict: z.enum(['inconclusive', 'promoted', 'rejected', 'expired']),
})
export type ShadowBook = Readonly<z.infer<typeof shadowBookSchema>>

/** One agent's comparison of these two versions out of one report. */
export interface ShadowReport {
  /** `site/agent`. */
  readonly agent: string
  /** The same for a report that comes again, and for no other one of this agent. */
  readonly report: string
  readonly days: readonly ComparedDay[]
  /** This side's clock. */
  readonly at: number
}

type Beginning = Pick<ShadowBook, 'model' | 'version' | 'champion' | 'artifactSha256' | 'heardAt'>

export const beginBook = (beginning: Beginning, rules: ShadowRules): ShadowBook => {
  const start = testOf(rules).start()
  return {
    ...beginning,
    v: 1,
    agents: {},
    open: [],
    closedUpTo: null,
    block: { ...noPairs, days: 0 },
    total: { ...noPairs, days: 0 },
    window: null,
    latePairs: 0,
    squared: start,
    absolute: start,
    verdict: 'inconclusive',
  }
}

export const stepBook = (book: ShadowBook, report: ShadowReport, rules: ShadowRules): ShadowBook => {
  const known = book.agents[report.agent]
  if (book.verdict !== 'inconclusive' || known?.reports.includes(report.report)) return book
  const upTo = report.days.reduce((latest, { day }) => Math.max(latest, day), known?.upTo ?? 0)
  const reports = [...(known?.reports ?? []), report.report].slice(-rules.reportsMax)
  const heard: ShadowBook = {
    ...report.days.reduce(addDay, book),
    heardAt: Math.max(book.heardAt, report.at),
    agents: { ...book.agents, [report.agent]: { upTo, heardAt: report.at, reports } },
  }
  return closeDays(heard, rules)
}

/** With time alone: a shadow that nobody reports of ends, too. */
export const verdictAt = (book: ShadowBook, now: number, rules: ShadowRules): ShadowBook['verdict'] =>
  book.verdict === 'inconclusive' && now - book.heardAt > rules.silenceMsMax ? 'expired' : book.verdict

/** The tests' numbers as they stand. */
export const evidenceOf = (book: ShadowBook, rules: ShadowRules) => {
  const test = testOf(rules)
  const [squared, absolute] = [test.evidence(book.squared), test.evidence(book.absolute)]
  return {
    squared,
    absolute,
    /** Of the loss that is further from a proof: both are needed. */
    evidence: Math.min(squared.better, absolute.better),
    /** Of the loss that is nearer to one: either is enough. */
    worse: Math.max(squared.worse, absolute.worse),
    needed: squared.needed,
  }
}

const addDay = (book: ShadowBook, compared: ComparedDay): ShadowBook => {
  const { day } = compared
  if (book.closedUpTo !== null && day <= book.closedUpTo) {
    return { ...book, latePairs: book.latePairs + compared.count + compared.failures }
  }
  const before = book.open.find((open) => open.day === day) ?? { ...noPairs, day }
  const open = [...book.open.filter((other) => other.day !== day), { ...addPairs(before, compared), day }]
  return { ...book, open: open.toSorted((a, b) => a.day - b.day) }
}

const closeDays = (book: ShadowBook, rules: ShadowRules): ShadowBook => {
  const [first, ...open] = book.open
  if (first === undefined || book.verdict !== 'inconclusive') return book
  if (!isOver(book, first.day, rules) && book.open.length <= rules.openDaysMax) return book
  return closeDays(closeDay({ ...book, open, closedUpTo: first.day }, first, rules), rules)
}

const isOver = ({ agents, heardAt }: ShadowBook, day: number, rules: ShadowRules): boolean => {
  const reporting = Object.values(agents).filter((agent) => agent.heardAt >= heardAt - rules.agentSilenceMs)
  const wellPast = reporting.filter(({ upTo }) => upTo >= day + (1 + rules.graceDays) * dayMs)
  return reporting.every(({ upTo }) => upTo > day) || 2 * wellPast.length >= reporting.length
}

const closeDay = (book: ShadowBook, day: ShadowBook['open'][number], rules: ShadowRules): ShadowBook => {
  if (day.count + day.failures === 0) return book
  const block = { ...addPairs(book.block, day), days: book.block.days + 1 }
  const window = { start: book.window?.start ?? day.day, end: day.day + dayMs }
  if (block.days < rules.blockDays) return { ...book, window, block }
  const test = testOf(rules)
  const next = {
    ...book,
    window,
    block: { ...noPairs, days: 0 },
    total: { ...addPairs(book.total, block), days: book.total.days + block.days },
    squared: test.step(book.squared, meanLosses(block, 'squared')).state,
    absolute: test.step(book.absolute, meanLosses(block, 'absolute')).state,
  }
  return { ...next, verdict: verdictOf(next, rules) }
}

const verdictOf = (book: ShadowBook, rules: ShadowRules): ShadowBook['verdict'] => {
  const { squared, absolute, total } = book
  const { worse, needed } = evidenceOf(book, rules)
  if (worse >= needed) return 'rejected'
  if (squared.verdict === 'promote' && absolute.verdict === 'promote' && isBetter(book)) return 'promoted'
  return total.days + rules.blockDays > rules.daysMax ? 'expired' : 'inconclusive'
}

/** Over all days, in everything that is shown to people. */
const isBetter = ({ total }: ShadowBook): boolean => {
  const champion = pairedMetrics(total, 'champion')
  const challenger = pairedMetrics(total, 'challenger')
  return (
    isLower(challenger.mse, champion.mse) &&
    isLower(challenger.mae, champion.mae) &&
    isLower(champion.r2, challenger.r2)
  )
}

const isLower = (a: number | null, b: number | null): boolean => a !== null && b !== null && a < b

const testOf = ({ daysMax, blockDays }: ShadowRules): SequentialTest =>
  createSequentialTest({ daysMax: Math.max(1, Math.floor(daysMax / blockDays)) })
