/**
 * The features for a live forecast: many meters of different size, a forecast at every interval. By default the last
 * day as it was, the week-ago values at the target times, figures to normalise by, the calendar, and the covariates;
 * a study chooses from longer and shorter looks back, a closer calendar and the covariates' own past. A season is
 * used only where the history holds it at least twice and the context may be that long.
 */
import {
  featureCount,
  featureSpecSchema,
  type FeatureSpec,
  type SharedTerm,
  type StepTerm,
} from '@imlma/protocol/features'
import { limits } from '@imlma/protocol/limits'
import { dayMs, type Zone } from '@imlma/protocol/series'
import { nameOf, type FeatureChoices } from './feature-choices.ts'

export interface RecipeRequest {
  readonly intervalMs: number
  /** Steps. */
  readonly horizon: number
  /** Steps of the training window. */
  readonly historySteps: number
  readonly zone: Zone
  readonly holidays: readonly string[]
  /** Known in advance; knots in the covariate's unit. */
  readonly covariates?: readonly { readonly name: string; readonly knots: readonly number[] }[]
}

/** Lags of the last day beyond which they are thinned out: a day of quarter hours. */
const lagsMax = 96

/** The same of a week: a week of hours. */
const weekLagsMax = 168

/** Columns of a row that a study may choose: 40,000 rows of 3,000 are half a gigabyte. */
const choiceColumnsMax = 3_000

interface Terms {
  readonly shared: readonly SharedTerm[]
  readonly step: readonly StepTerm[]
}

/** What stands behind the names of an axis, the default first. */
type Axis = Readonly<Record<string, Terms>>

export const defaultFeatureSpec = (request: RecipeRequest): FeatureSpec =>
  featureSpecSchema.parse(
    fieldsOf(
      request,
      Object.values(axesOf(request)).map((axis) => Object.values(axis)[0] as Terms),
    ),
  )

/** What a study chooses from, as far as the history reaches; the default is `defaultFeatureSpec`. */
export const featureChoices = (request: RecipeRequest): FeatureChoices => {
  let axes = axesOf(request)
  for (;;) {
    const specs = combinationsOf(axes).map(
      ({ names, terms }) => [nameOf(names), specWithin(request, terms)] as const,
    )
    const fits = specs.every(([, spec]) => spec !== undefined)
    const longest = Object.entries(axes).toSorted(([, a], [, b]) => sizeOf(b) - sizeOf(a))[0]
    if (fits || longest === undefined || sizeOf(longest[1]) === 1) {
      return {
        axes: Object.fromEntries(Object.entries(axes).map(([axis, choices]) => [axis, Object.keys(choices)])),
        specs: Object.fromEntries(specs.map(([name, spec]) => [name, spec ?? defaultFeatureSpec(request)])),
      }
    }
    // The last names are the widest.
    const [name, choices] = longest
    axes = { ...axes, [name]: Object.fromEntries(Object.entries(choices).slice(0, -1)) }
  }
}

const sizeOf = (axis: Axis): number => Object.keys(axis).length

const axesOf = (request: RecipeRequest): Readonly<Record<string, Axis>> => {
  const axes = {
    'look-back': lookBacksOf(request),
    calendar: calendarsOf(request),
    covariates: covariatesOf(request),
  }
  // An axis without a choice is none; the first one always says something.
  return Object.fromEntries(
    Object.entries(axes).filter(([name, axis]) => name !== 'covariates' || sizeOf(axis) > 0),
  )
}

const combinationsOf = (
  axes: Readonly<Record<string, Axis>>,
): readonly { readonly names: readonly string[]; readonly terms: readonly Terms[] }[] =>
  Object.values(axes).reduce<{ names: readonly string[]; terms: readonly Terms[] }[]>(
    (all, axis) =>
      all.flatMap(({ names, terms }) =>
        Object.entries(axis).map(([name, one]) => ({ names: [...names, name], terms: [...terms, one] })),
      ),
    [{ names: [], terms: [] }],
  )

const specWithin = (request: RecipeRequest, terms: readonly Terms[]): FeatureSpec | undefined => {
  const parsed = featureSpecSchema.safeParse(fieldsOf(request, terms))
  return parsed.success && featureCount(parsed.data) <= choiceColumnsMax ? parsed.data : undefined
}

const fieldsOf = (request: RecipeRequest, terms: readonly Terms[]): FeatureSpec => {
  const { intervalMs, horizon, zone, holidays } = request
  const shared = terms.flatMap((one) => one.shared)
  const [statistics] = shared.flatMap((term) => (term.kind === 'statistics' ? [term.over] : []))
  const context = statistics as number
  return {
    v: 1,
    intervalMs,
    horizon,
    seasonSteps: seasonsOf(request).daily ?? context,
    missingMax: Math.floor(context / 4),
    zone: [...zone],
    holidays: [...holidays],
    shared,
    step: terms.flatMap((one) => [...one.step]),
  }
}

const seasonsOf = ({ intervalMs, historySteps, horizon }: RecipeRequest) => {
  const day = dayMs / intervalMs
  return {
    day,
    daily: seasonWithin(day, historySteps, horizon),
    week: seasonWithin(7 * day, historySteps, horizon),
    fourWeeks: seasonWithin(28 * day, historySteps, horizon),
  }
}

const lookBacksOf = (request: RecipeRequest): Axis => {
  const { day, daily, week, fourWeeks } = seasonsOf(request)
  const reach = Math.min(limits.contextLengthMax, Math.floor(request.historySteps / 4))
  const span = Math.max(1, daily ?? Math.min(day, reach))
  const season = week ?? daily
  const context = season ?? span
  const usual = lookBack(thinnedLags(span, lagsMax), span < context ? [context, span] : [context], [
    ...(season === undefined ? [] : [[season, 1] as const]),
    // Thinned lags do not hold yesterday's value at every phase.
    ...(week !== undefined && span > lagsMax ? [[day, 1] as const] : []),
  ])
  if (week === undefined) return { 'a day': usual }
  const lags = thinnedLags(week, weekLagsMax)
  return {
    'a day, a week ago': usual,
    'a day': lookBack(thinnedLags(span, lagsMax), [span], [[day, 1]]),
    'a week': lookBack(lags, [week, span], [[week, 1]]),
    ...(fourWeeks !== undefined && {
      'four weeks': lookBack(
        lags,
        [week, span],
        [1, 2, 3, 4].map((count) => [week, count] as const),
      ),
    }),
  }
}

/** The first mean and deviation are what learners normalise by: the longest are the steadiest. */
const lookBack = (
  lags: readonly number[],
  [longest, ...shorter]: readonly number[],
  seasonal: readonly (readonly [seasonSteps: number, count: number])[],
): Terms => ({
  shared: [
    { kind: 'statistics', over: longest as number, of: ['mean', 'deviation'] },
    { kind: 'lags', lags: [...lags] },
    ...shorter.map((over): SharedTerm => ({
      kind: 'statistics',
      over,
      of: ['mean', 'deviation', 'min', 'max'],
    })),
  ],
  step: seasonal.map(([seasonSteps, count]) => ({ kind: 'seasonal-lag', seasonSteps, count })),
})

const calendarsOf = ({ intervalMs, historySteps, holidays }: RecipeRequest): Axis => {
  const holdsYear = historySteps >= (365 * dayMs) / intervalMs
  const shared: SharedTerm[] = [
    { kind: 'calendar', parts: [{ kind: 'day-profile', by: 'day-type', order: 4 }, { kind: 'day-of-week' }] },
  ]
  if (holdsYear) shared.push({ kind: 'calendar', parts: [{ kind: 'day-of-year-harmonics', order: 2 }] })
  return {
    'kinds of days': { shared, step: [{ kind: 'calendar', parts: [{ kind: 'day-type' }] }] },
    'weekdays and holidays': {
      shared,
      step: [
        {
          kind: 'calendar',
          parts: [
            { kind: 'day-type' },
            { kind: 'day-of-week' },
            { kind: 'time-of-day-harmonics', order: 2 },
            ...(holidays.length > 0 ? [{ kind: 'holiday' as const, offsetDays: [-1, 0, 1] }] : []),
            ...(holdsYear ? [{ kind: 'day-of-year-harmonics' as const, order: 4 }] : []),
          ],
        },
      ],
    },
  }
}

/** Hours: before the target, and averaged. Buildings and people answer to the weather of the day, not of the hour. */
const pastHours = [
  [1, 1],
  [2, 1],
  [3, 3],
  [6, 6],
  [0, 24],
  [24, 24],
] as const

const covariatesOf = ({ intervalMs, historySteps, covariates = [] }: RecipeRequest): Axis => {
  if (covariates.length === 0) return {}
  const responses = (terms: readonly (readonly [lag: number, averageSteps: number])[]): StepTerm[] =>
    covariates.flatMap(({ name, knots }) =>
      terms.map(([lag, averageSteps]): StepTerm => ({
        kind: 'covariate',
        name,
        knots: [...knots],
        lag,
        averageSteps,
      })),
    )
  const steps = (hours: number): number => Math.round((hours * dayMs) / 24 / intervalMs)
  const past = pastHours
    .map(([lag, average]) => [steps(lag), Math.max(1, steps(average))] as const)
    .filter(
      ([lag, average]) =>
        lag + average > 1 && lag + average <= Math.min(limits.contextLengthMax, historySteps / 8),
    )
  const distinct = [...new Map(past.map((term) => [String(term), term])).values()]
  return {
    'as they are': { shared: [], step: responses([[0, 1]]) },
    ...(distinct.length > 0 && {
      'with their past': { shared: [], step: responses([[0, 1], ...distinct]) },
    }),
  }
}

const seasonWithin = (steps: number, historySteps: number, horizon: number): number | undefined =>
  steps <= limits.contextLengthMax && historySteps >= 2 * steps + 2 * horizon ? steps : undefined

/** 1 … span, dense at first and then ever wider apart, at most `most` of them. */
const thinnedLags = (span: number, most: number): number[] => {
  if (span <= most) return Array.from({ length: span }, (_, i) => i + 1)
  const dense = most / 2
  const growth = (span / dense) ** (1 / (most - dense))
  const sparse = Array.from({ length: most - dense }, (_, i) => Math.round(dense * growth ** (i + 1)))
  return [...new Set([...Array.from({ length: dense }, (_, i) => i + 1), ...sparse])]
}
