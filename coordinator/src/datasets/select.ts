/**
 * Which readings a training gets: all series of a register over a trailing window, only values fit for training that
 * no quality check finds anything against, and a refusal with reasons where there are too few of them.
 *
 *   |←——————————— window, at most `windowMsMax` ———————————→|
 *   | training targets            | gap | evaluation targets |
 *                                                            end = after the reading that half of the series have
 *
 * One meter that is dead, late or ahead of time must not decide for all: the window ends at the median of the series'
 * last readings, and a series that is too incomplete is left out and named.
 */

import { accept, refuse, type Result } from '@imlma/protocol/result'
import type { Zone } from '@imlma/protocol/series'
import type { ReadingsReader, SeriesRecord } from '../storage/readings.ts'
import {
  covariateRules,
  readCandidate,
  targetRules,
  tellLeftOut,
  type Candidate,
  type RulesOf,
  type SeriesQuality,
} from './candidate.ts'
import type { QualitySettings } from './quality/rules.ts'
import type { Provenance, SnapshotContent } from './snapshot.ts'
import { planWindow, type TimeRange } from './split.ts'

export interface Selection {
  readonly model: string
  readonly site: string
  readonly register: string
  readonly intervalMs: number
  /** Steps. */
  readonly horizon: number
  /** Registers that the model is told in advance, at the same interval. */
  readonly covariates: readonly string[]
  readonly windowMsMax: number
  readonly evaluationMs: number
  /** Readings fit for training, in the window and over all series. */
  readonly readingsMin: number
  /** Share of the expected readings that must be fit for training. */
  readonly completenessMin: number
  /** Bound on the snapshot's size; a longer window is cut at its old end. Default 20 million: 80 MB. */
  readonly valuesMax?: number
  /** What the register can be held to, see `quality/rules.ts`; the defaults where nothing is said. */
  readonly quality?: QualitySettings
  /** Unit of the values: says whether they are energies. */
  readonly unit?: string
  /** Where the meters are; default UTC. */
  readonly zone?: Zone
}

export type SelectionRefusal = 'TOO_FEW_READINGS' | 'INCOMPLETE'

export interface Selected {
  readonly content: SnapshotContent
  /** Readings fit for training in the content, covariates not counted. */
  readonly readings: number
  readonly quality: readonly SeriesQuality[]
}

const valuesMaxDefault = 20_000_000

/** Reads every series once; a million values take about 50 ms. */
export const selectReadings = (
  readings: ReadingsReader,
  selection: Selection,
): Result<Selected, SelectionRefusal> => {
  const { site, register, intervalMs, completenessMin } = selection
  const targets = readings.series({ site, register, intervalMs })
  const known = selection.covariates.map((name) => readings.series({ site, register: name, intervalMs }))
  const window = windowOf(targets, targets.length + known.flat().length, selection)
  if (window === undefined) {
    return refuse(
      'TOO_FEW_READINGS',
      `no readings of ${register} every ${intervalMs / 1_000} s in ${site} yet`,
    )
  }
  const candidateOf = (rulesOf: RulesOf) => (record: SeriesRecord) =>
    readCandidate(readings, record, window, completenessMin, rulesOf(record))
  const series = targets.map(candidateOf(targetRules(selection)))
  const covariates = known.flat().map(candidateOf(covariateRules(selection)))

  const fit = series.filter(({ quality }) => !quality.leftOut)
  const count = sumOf(fit, ({ quality }) => quality.trainable)
  if (count < selection.readingsMin) {
    return refuse(
      'TOO_FEW_READINGS',
      `${count} readings are fit for training, ${selection.readingsMin} are needed${tellLeftOut(series.map(({ quality }) => quality))}`,
    )
  }
  const share =
    sumOf(series, ({ quality }) => quality.trainable) / sumOf(series, ({ quality }) => quality.expected)
  if (share < completenessMin) return incomplete(share, completenessMin, series)
  const covariate = selection.covariates.find(
    (name) => !covariates.some(({ series: one, quality }) => one.register === name && !quality.leftOut),
  )
  if (covariate !== undefined) {
    return refuse('INCOMPLETE', `the covariate ${covariate} has too few readings in the window`)
  }

  const { model, horizon } = selection
  const plan = planWindow(window, {
    intervalMs,
    horizon,
    evaluationSteps: Math.floor(selection.evaluationMs / intervalMs),
  })
  if (!plan.ok) return refuse('TOO_FEW_READINGS', plan.refusal.message, plan.refusal.hint)

  const used = [...fit, ...covariates.filter(({ quality }) => !quality.leftOut)]
  return accept({
    content: {
      v: 1,
      model,
      site,
      series: fit.map(({ series: one }) => one),
      covariates: used.slice(fit.length).map(({ series: one }) => one),
      window,
      trainEnd: plan.value.trainEnd,
      evaluation: plan.value.evaluation,
      provenance: provenanceOf(readings, site, new Set(used.map(({ agent }) => agent))),
    },
    readings: count,
    quality: [...series, ...covariates].map(({ quality }) => quality),
  })
}

/** The trailing window, in whole intervals; undefined where there is no reading at all. */
const windowOf = (
  targets: readonly SeriesRecord[],
  columns: number,
  { intervalMs, windowMsMax, valuesMax = valuesMaxDefault }: Selection,
): TimeRange | undefined => {
  const lasts = targets.map(({ lastAt }) => lastAt).toSorted((a, b) => a - b)
  const last = lasts[lasts.length >> 1]
  if (last === undefined) return undefined
  const end = last + intervalMs
  const steps = Math.floor(Math.min(windowMsMax / intervalMs, valuesMax / columns))
  const first = targets.reduce((earliest, { firstAt }) => Math.min(earliest, firstAt), last)
  return { start: Math.max(first, end - steps * intervalMs), end }
}

const incomplete = (share: number, shareMin: number, series: readonly Candidate[]) =>
  refuse(
    'INCOMPLETE',
    `${percent(share)} of the expected readings are fit for training, ${percent(shareMin)} are needed${tellLeftOut(series.map(({ quality }) => quality))}`,
    'look at the meters and gateways that are named, or change what the model’s quality settings allow',
  )

/**
 * From the first batch to the last one that is stored now. A few of the last ones may not be folded yet, so the
 * range can reach slightly beyond the content, never short of it.
 */
const provenanceOf = (
  readings: ReadingsReader,
  site: string,
  agents: ReadonlySet<string>,
): readonly Provenance[] =>
  readings
    .coverage()
    .filter((coverage) => coverage.site === site && agents.has(coverage.agent))
    .map(({ agent, highest }) => ({ agent, firstSeq: 1, lastSeq: highest }))

const sumOf = <Item>(items: readonly Item[], value: (item: Item) => number): number =>
  items.reduce((sum, item) => sum + value(item), 0)

const percent = (share: number): string => `${Math.floor(share * 100)} %`
