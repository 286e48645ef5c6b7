/**
 * What is fed to which agent, and which model follows from it. Proportions are chosen so that a person sees every
 * step within minutes: enough history for a first version, then a decision about every quarter of a minute.
 */

import { basename } from 'node:path'
import { Failure } from '@imlma/protocol/result'
import type { StartOptions } from './options.ts'

const dayMs = 86_400_000
const quarterHourMs = 900_000

/** Where the simulated feed turns live: a fixed day, so that a seed always gives the same datasets. */
const liveFrom = Date.UTC(2025, 2, 3)

/**
 * History of a short file: a week is judged on, a day lies between, four days at least are learned from, and a fifth of
 * the readings may be missing.
 */
const firstDaysMin = 15

/** What a file turned out to be. */
export interface FileShape {
  readonly intervalMs: number
  readonly meters: readonly string[]
  readonly unit: string | null
  readonly firstAt: number
  readonly lastAt: number
}

export interface Scenario {
  /** For the default data directory, and to tell that a directory belongs to another feed. */
  readonly name: string
  readonly model: Readonly<Record<string, unknown>>
  /** One source configuration per agent, in the agents' form. */
  readonly sources: readonly Readonly<Record<string, unknown>>[]
  readonly meters: number
  readonly intervalMs: number
}

export const simulatedScenario = (options: StartOptions): Scenario => {
  const { meters, seed, speed = 43_200, historyDays = 42 } = options
  const agents = Math.min(options.agents, meters)
  const names = Array.from({ length: meters }, (_, i) => `meter-${String(i + 1).padStart(3, '0')}`)
  const perDay = meters * (dayMs / quarterHourMs)
  return {
    name: 'simulated',
    meters,
    intervalMs: quarterHourMs,
    model: toModel(options, {
      quantity: 'active energy',
      unit: 'kWh',
      register: '1-0:1.29.0',
      intervalMs: quarterHourMs,
      volume: Math.round(7 * perDay),
      readingsMin: Math.round(historyDays * perDay),
      learner: 'ridge',
      // Two weeks of days are what the gate needs to be sure of an improvement.
      evaluationMs: Math.max(1, Math.min(14, Math.floor(historyDays / 3))) * dayMs,
      windowMsMax: 70 * dayMs,
    }),
    sources: spread(names, agents).map((own) => ({
      kind: 'simulated',
      name: 'feed',
      seed,
      liveFrom,
      meters: own,
      intervalMs: quarterHourMs,
      historyDays,
      speed,
    })),
  }
}

export const fileScenario = (options: StartOptions, path: string, shape: FileShape): Scenario => {
  const { intervalMs, meters } = shape
  const agents = Math.min(options.agents, meters.length)
  const days = (shape.lastAt - shape.firstAt) / dayMs
  if (days < 21) {
    throw new Failure('FILE_TOO_SHORT', `${path} covers ${days.toFixed(1)} days`, {
      hint: 'give a file of at least three weeks: a day-ahead model needs weeks to learn and to be judged',
    })
  }
  const historyDays = options.historyDays ?? Math.min(400, Math.max(firstDaysMin, Math.floor(days * 0.4)))
  const perDay = meters.length * (dayMs / intervalMs)
  const roundDays = Math.min(28, (days - historyDays) / ((options.rounds ?? 4) + 2))
  return {
    name: basename(path)
      .replace(/\.[^.]*$/, '')
      .replaceAll(/[^A-Za-z0-9_-]/g, '-'),
    meters: meters.length,
    intervalMs,
    model: toModel(options, {
      quantity: 'load',
      unit: options.unit ?? shape.unit ?? '1',
      register: 'value',
      intervalMs,
      volume: Math.max(1, Math.round(roundDays * perDay)),
      readingsMin: Math.round(historyDays * perDay * 0.95),
      // Real series have more shape than a line holds; simulated ones do not need it.
      learner: 'perceptron',
      evaluationMs: Math.min(28, Math.max(7, Math.floor(historyDays / 5))) * dayMs,
      windowMsMax: 800 * dayMs,
    }),
    sources: spread(meters, agents).map((own) => ({
      kind: 'replay',
      name: 'feed',
      path,
      columns: own,
      intervalMs,
      historyDays,
      // A round's worth of readings in ten seconds.
      speed: options.speed ?? Math.round((roundDays * dayMs) / 10_000),
      ...(options.timeColumn === undefined ? {} : { timeColumn: options.timeColumn }),
      ...(options.unit === undefined ? {} : { unit: options.unit }),
    })),
  }
}

interface Series {
  readonly quantity: string
  readonly unit: string
  readonly register: string
  readonly intervalMs: number
  readonly volume: number
  readonly readingsMin: number
  readonly learner: string
  readonly evaluationMs: number
  readonly windowMsMax: number
}

const toModel = (options: StartOptions, series: Series): Readonly<Record<string, unknown>> => ({
  name: 'load',
  quantity: series.quantity,
  unit: series.unit,
  register: series.register,
  intervalMs: series.intervalMs,
  // Day-ahead, and at least one step for daily readings.
  horizon: Math.max(1, Math.round(dayMs / series.intervalMs)),
  trigger: {
    volume: options.volume ?? series.volume,
    intervalMs: (options.retrainAfter ?? 120) * 1_000,
    readingsMin: series.readingsMin,
    coolDownMs: 2_000,
  },
  learner: options.learner ?? series.learner,
  ...(options.trials === undefined ? {} : { study: { trials: options.trials } }),
  // A round is to take seconds: the default would learn from three times as much.
  training: { rowsMax: 12_000 },
  data: { evaluationMs: series.evaluationMs, windowMsMax: series.windowMsMax },
})

/** As even as it gets, every agent at least one. */
const spread = (names: readonly string[], agents: number): readonly (readonly string[])[] =>
  Array.from({ length: agents }, (_, agent) => names.filter((_name, index) => index % agents === agent))
