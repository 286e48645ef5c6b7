/**
 * How often does the gate promote what is no better, and how often what is? Simulated contests of four weeks of
 * quarter hours with errors that hang together in time and between the models; beside it the rule "MSE, MAE and R² all
 * better" on the same contests. Then the shadow: one look a day for 60 days, beside a t-test that is looked at daily.
 *
 *   node scripts/benchmark/gate.ts [--repetitions 1000] [--seed 1] [--json]
 */

import { parseArgs } from 'node:util'
import { createSequentialTest, decide } from '@imlma/coordinator/gate'
import {
  createNoise,
  simulate,
  stepsPerDay,
  toContest,
  type MeterErrors,
  type Simulation,
} from './gate/simulation.ts'
import { dailyLossesOf, looksDailyByTTest } from './gate/shadow.ts'

const { values } = parseArgs({
  options: {
    repetitions: { type: 'string', default: '1000' },
    seed: { type: 'string', default: '1' },
    json: { type: 'boolean', default: false },
  },
})
const repetitions = Math.max(1_000, Number(values.repetitions))
const seed = Number(values.seed)
const shadowDays = 60

const usual: Simulation = {
  days: 28,
  meters: 1,
  autocorrelation: 0.8,
  // Two good models of the same load share most of their errors: what was not foreseeable is in both.
  crossCorrelation: 0.8,
  meterCorrelation: 0.3,
  mseRatio: 1,
  errorDeviation: 0.5,
  horizon: 1,
}

interface Case {
  readonly name: string
  readonly change: Partial<Simulation>
  /** Share of promotions: at most, or at least. */
  readonly bar?: { readonly most: number } | { readonly least: number }
  readonly repetitions?: number
}

const few = 200
const cases: readonly Case[] = [
  { name: 'equal skill', change: {}, bar: { most: 0.05 } },
  { name: '20 % lower MSE', change: { mseRatio: 0.8 }, bar: { least: 0.95 } },
  { name: 'equal skill, 3 meters', change: { meters: 3 }, bar: { most: 0.05 } },
  { name: '… 20 % lower', change: { meters: 3, mseRatio: 0.8 }, bar: { least: 0.95 }, repetitions: few },
  { name: 'equal skill, day ahead', change: { horizon: 96 }, bar: { most: 0.05 } },
  { name: '… 20 % lower', change: { horizon: 96, mseRatio: 0.8 }, bar: { least: 0.95 }, repetitions: few },
  { name: 'equal skill, day ahead, one week', change: { horizon: 96, days: 7 }, bar: { most: 0.05 } },
  {
    name: 'R² below zero, 20 % lower MSE',
    change: { errorDeviation: 3, mseRatio: 0.8 },
    bar: { least: 0.95 },
    repetitions: few,
  },
  {
    name: 'R² below zero, 25 % higher MSE',
    change: { errorDeviation: 3, mseRatio: 1.25 },
    bar: { most: 0 },
    repetitions: few,
  },
  {
    name: '20 % lower, errors .65 alike',
    change: { mseRatio: 0.8, crossCorrelation: 0.65 },
    repetitions: few,
  },
  { name: '20 % lower, errors not alike', change: { mseRatio: 0.8, crossCorrelation: 0 }, repetitions: few },
]

const round = (value: number, digits = 4): number => Number(value.toFixed(digits))

/** Hexadecimal like a hash: another one for every repetition. */
const nameOf = (repetition: number): string => (seed * 1_000_003 + repetition).toString(16).padStart(64, '0')

const toText = (bar: Case['bar']): string => {
  if (bar === undefined) return ''
  return 'most' in bar ? `≤ ${bar.most}` : `≥ ${bar.least}`
}

const isHeld = (share: number, bar: Case['bar']): boolean =>
  bar === undefined || ('most' in bar ? share <= bar.most : share >= bar.least)

const judge = ({ name, change, bar, repetitions: count = repetitions }: Case) => {
  const simulation = { ...usual, ...change }
  const verdicts = { promote: 0, reject: 0, inconclusive: 0 }
  const durations: number[] = []
  let pointsAlone = 0
  for (let repetition = 0; repetition < count; repetition++) {
    const noise = createNoise(seed * 7_919 + repetition)
    const contest = toContest(simulate(simulation, noise), simulation, nameOf(repetition))
    const startedAt = performance.now()
    const { verdict, champion, challenger } = decide(contest)
    durations.push(performance.now() - startedAt)
    verdicts[verdict] += 1
    const lower = (metric: 'mse' | 'mae') => (challenger[metric] ?? Infinity) < (champion[metric] ?? Infinity)
    if (lower('mse') && lower('mae') && (challenger.r2 ?? -Infinity) > (champion.r2 ?? Infinity))
      pointsAlone += 1
  }
  const promoted = verdicts.promote / count
  return {
    name,
    repetitions: count,
    promoted: round(promoted),
    rejected: round(verdicts.reject / count),
    inconclusive: round(verdicts.inconclusive / count),
    pointsAlonePromoted: round(pointsAlone / count),
    medianMs: round(durations.toSorted((a, b) => a - b)[count >>> 1] ?? 0, 2),
    ...(bar === undefined ? {} : { bar, held: isHeld(promoted, bar) }),
  }
}

/** Looks every day for 60 days; where `gated`, only at what the gate left open on the four weeks before. */
const shadow = (name: string, mseRatio: number, gated: boolean, bar: Case['bar']) => {
  const test = createSequentialTest()
  const promotedAt: number[] = []
  let [rejected, byTTest, byGate] = [0, 0, 0]
  for (let repetition = 0; repetition < repetitions; repetition++) {
    const noise = createNoise(seed * 104_729 + 500_000 + repetition)
    if (gated) {
      const before = { ...usual, mseRatio }
      const { verdict } = decide(toContest(simulate(before, noise), before, nameOf(repetition)))
      if (verdict === 'promote') byGate += 1
      if (verdict !== 'inconclusive') continue
    }
    const days = dailyLossesOf(
      simulate({ ...usual, days: shadowDays, mseRatio }, noise)[0] as MeterErrors,
      stepsPerDay,
    )
    let state = test.start()
    for (const day of days) {
      state = test.step(state, day).state
      if (state.verdict === 'inconclusive') continue
      if (state.verdict === 'promote') promotedAt.push(state.days)
      else rejected += 1
      break
    }
    if (looksDailyByTTest(days)) byTTest += 1
  }
  const promoted = (promotedAt.length + byGate) / repetitions
  return {
    name,
    repetitions,
    promoted: round(promoted),
    ...(gated ? { promotedByGate: round(byGate / repetitions) } : {}),
    rejected: round(rejected / repetitions),
    medianDaysToPromotion: promotedAt.toSorted((a, b) => a - b)[promotedAt.length >>> 1] ?? null,
    ...(gated ? {} : { dailyTTestPromoted: round(byTTest / repetitions) }),
    ...(bar === undefined ? {} : { bar, held: isHeld(promoted, bar) }),
  }
}

const startedAt = performance.now()
const contests = cases.map(judge)
const shadows = [
  shadow('equal skill', 1, false, { most: 0.05 }),
  shadow('20 % lower MSE', 0.8, false, undefined),
  shadow('equal skill, gate first', 1, true, { most: 0.05 }),
]
const held = [...contests, ...shadows].every((one) => one.held ?? true)
const seconds = round((performance.now() - startedAt) / 1_000, 1)

if (values.json) {
  console.log(JSON.stringify({ benchmark: 'gate', seed, contests, shadows, held, seconds }, undefined, 2))
} else {
  console.table(contests.map((one) => ({ ...one, bar: toText(one.bar) })))
  console.log(`shadow, one look a day for ${shadowDays} days`)
  console.table(shadows.map((one) => ({ ...one, bar: toText(one.bar) })))
  console.log(`${held ? 'every bar is held' : 'NOT every bar is held'}, ${seconds} s`)
}
