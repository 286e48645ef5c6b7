/**
 * Feature rows from a spec: `[shared terms…, step 1 terms…, …, step H terms…]`, Float32, raw units. The one code
 * for training and for the edge, so both give the same bits. A row allocates nothing.
 */
import { invariant } from '../result.ts'
import { createCalendar, dayMs, dayOf, fillGaps, indexAt, type IntervalSeries } from '../series/index.ts'
import { calendarTerm } from './calendar-terms.ts'
import { covariateTerm } from './covariate-terms.ts'
import { lagsTerm, seasonalLagTerm, statisticsTerm } from './history-terms.ts'
import { contextLengthOf, covariateNamesOf, featureCount } from './extent.ts'
import type { FeatureSpec, SharedTerm, StepTerm } from './fields.ts'
import type { ColumnRole, Frame, Term } from './term.ts'

/** `ok`, or why the row is invalid; what was written to the target then means nothing. */
export type RowOutcome = 'ok' | 'too-many-missing' | 'covariate-missing'

export interface FeatureBuilder {
  readonly spec: FeatureSpec
  /** Columns of a row. */
  readonly count: number
  /** Columns of the shared block and of each step's block. */
  readonly sharedCount: number
  readonly stepCount: number
  readonly contextLength: number
  readonly horizon: number
  /** The covariates to hand to `writeRow`, in this order. */
  readonly covariateNames: readonly string[]
  /** Per column. */
  readonly names: readonly string[]
  readonly roles: readonly ColumnRole[]
  /**
   * Writes one row into `target` from `offset` on. `series` must have the spec's interval; values at and after
   * `origin` are never read, values before its start are missing. A covariate may have a coarser interval.
   */
  writeRow(
    target: Float32Array,
    offset: number,
    series: IntervalSeries,
    origin: number,
    covariates: readonly IntervalSeries[],
  ): RowOutcome
}

export const createFeatureBuilder = (spec: FeatureSpec): FeatureBuilder => {
  const calendar = createCalendar(spec.zone, spec.holidays)
  const covariateNames = covariateNamesOf(spec)
  const contextLength = contextLengthOf(spec)
  const compile = (term: SharedTerm | StepTerm): readonly Term[] => {
    switch (term.kind) {
      case 'lags':
        return [lagsTerm(term)]
      case 'statistics':
        return [statisticsTerm(term)]
      case 'seasonal-lag':
        return [seasonalLagTerm(term)]
      case 'calendar':
        return term.parts.map((part) => calendarTerm(part, calendar, spec.intervalMs))
      case 'covariate':
        return [covariateTerm(term, covariateNames.indexOf(term.name), spec.intervalMs)]
    }
  }
  const shared = spec.shared.flatMap(compile)
  const step = spec.step.flatMap(compile)
  const sharedCount = widthOf(shared)
  const stepCount = widthOf(step)
  const count = sharedCount + stepCount * spec.horizon
  invariant(count === featureCount(spec), 'the spec and its terms agree on the columns')

  const frame: Frame = {
    context: new Float32Array(contextLength),
    covariates: [],
    time: 0,
    step: 0,
    day: 0,
    timeOfDayMs: 0,
    covariateMissing: false,
  }
  const moveTo = (time: number, stepNumber: number): void => {
    const local = calendar.toLocal(time)
    frame.time = time
    frame.step = stepNumber
    frame.day = dayOf(local)
    frame.timeOfDayMs = local - frame.day * dayMs
  }
  const write = (terms: readonly Term[], target: Float32Array, offset: number): number => {
    let at = offset
    for (const term of terms) {
      term.write(frame, target, at)
      at += term.names.length
    }
    return at
  }

  return {
    spec,
    count,
    sharedCount,
    stepCount,
    contextLength,
    horizon: spec.horizon,
    covariateNames,
    names: [
      ...shared.flatMap((term) => term.names),
      ...stepsOf(spec).flatMap((number) =>
        step.flatMap((term) => term.names.map((name) => `step ${number} ${name}`)),
      ),
    ],
    roles: [...shared.flatMap(rolesOf), ...stepsOf(spec).flatMap(() => step.flatMap(rolesOf))],
    writeRow: (target, offset, series, origin, covariates) => {
      invariant(series.intervalMs === spec.intervalMs, 'series and feature spec have different intervals')
      invariant(covariates.length === covariateNames.length, 'one series per covariate of the spec')
      readContext(frame.context, series, origin)
      const missing = fillGaps(frame.context, spec.seasonSteps)
      if (missing > spec.missingMax || missing === contextLength) return 'too-many-missing'
      frame.covariates = covariates
      frame.covariateMissing = false
      moveTo(origin, 0)
      let at = write(shared, target, offset)
      if (stepCount > 0) {
        for (let number = 1; number <= spec.horizon; number++) {
          moveTo(origin + (number - 1) * spec.intervalMs, number)
          at = write(step, target, at)
        }
      }
      return frame.covariateMissing ? 'covariate-missing' : 'ok'
    },
  }
}

const widthOf = (terms: readonly Term[]): number =>
  terms.reduce((width, term) => width + term.names.length, 0)

const rolesOf = (term: Term): readonly ColumnRole[] =>
  typeof term.role === 'string' ? term.names.map(() => term.role as ColumnRole) : term.role

const stepsOf = (spec: FeatureSpec): readonly number[] =>
  Array.from({ length: spec.horizon }, (_, i) => i + 1)

/** Copies the values before `origin` into `context`, oldest first. */
const readContext = (context: Float32Array, series: IntervalSeries, origin: number): void => {
  const { values } = series
  const first = indexAt(series, origin) - context.length
  for (let i = 0; i < context.length; i++) {
    const index = first + i
    context[i] = index >= 0 && index < values.length ? (values[index] as number) : Number.NaN
  }
}
