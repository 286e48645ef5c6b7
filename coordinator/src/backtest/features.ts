/** The feature specs that a task lets a study choose from: every feature choice with every context. */
import { featureSpecSchema, type FeatureSpec, type SharedTerm, type StepTerm } from '@imlma/protocol/features'
import { Failure } from '@imlma/protocol/result'
import { z } from 'zod'
import type { Material, MaterialCovariate } from './material.ts'
import type { BacktestTask, FeatureChoice } from './task.ts'

type Terms = { readonly shared: readonly unknown[]; readonly step: readonly unknown[] }

/** By name, the first is the default. Throws `Failure` BAD_TASK. */
export const featureSpecsOf = (
  task: BacktestTask,
  material: Material,
): Readonly<Record<string, FeatureSpec>> => {
  const contexts = task.context === undefined ? [undefined] : [task.context].flat()
  const choices: readonly FeatureChoice[] = task.features ?? [bareChoice]
  const variants = choices.flatMap((choice) =>
    (choice.context === undefined ? contexts : [choice.context]).map((context) => ({
      name: contexts.length > 1 && choice.context === undefined ? nameOf(choice, context) : choice.name,
      terms: termsOf(task, choice, context, material.covariates),
    })),
  )
  return Object.fromEntries(variants.map(({ name, terms }) => [name, specOf(task, material, name, terms)]))
}

const bareChoice: FeatureChoice = {
  name: 'as given',
  statistics: [],
  seasonal: [],
  calendar: [],
  covariates: {},
}

const nameOf = ({ name }: FeatureChoice, context: number | undefined): string =>
  name === bareChoice.name ? `context ${context}` : `${name}, context ${context}`

const specOf = (
  { kind, horizon }: BacktestTask,
  { intervalMs, seasonSteps, zone, holidays }: Material,
  name: string,
  { shared, step }: Terms,
): FeatureSpec => {
  const parsed = featureSpecSchema.safeParse({
    v: 1,
    intervalMs,
    horizon,
    seasonSteps,
    missingMax: kind === 'regression' ? 0 : Math.max(1, Math.min(24, seasonSteps)),
    zone: [...zone],
    holidays: [...holidays],
    shared,
    step,
  })
  if (parsed.success) return parsed.data
  throw new Failure('BAD_TASK', `the features "${name}" cannot be used: ${z.prettifyError(parsed.error)}`, {
    hint: 'calendar parts are those of a feature spec, as {"kind": "day-of-week"}',
  })
}

const termsOf = (
  task: BacktestTask,
  { statistics, seasonal, calendar, covariates: responses }: FeatureChoice,
  context: number | undefined,
  covariates: readonly MaterialCovariate[],
): Terms => {
  const covariateTerms = covariates.flatMap(({ column, name, known }) => {
    const { knots, terms } = responses[column] ?? { knots: [], terms: [[0, 1] as const] }
    return terms.map(([lag, averageSteps]) => ({
      known,
      // What is not known in advance is read before the origin.
      term: { kind: 'covariate', name, knots, lag: known ? lag : Math.max(1, lag), averageSteps } as const,
    }))
  })
  // The row of a regression is one step: its columns are shared by all of it.
  const ahead = covariateTerms.filter(({ known }) => known).map(({ term }) => term)
  const behind = covariateTerms.filter(({ known }) => !known).map(({ term }) => term)
  if (task.kind === 'regression') return { shared: [...ahead, ...behind], step: [] }
  const shared: SharedTerm[] = [
    ...(context === undefined
      ? []
      : [{ kind: 'lags', lags: Array.from({ length: context }, (_, i) => i + 1) } as const]),
    ...statistics.map((over, i): SharedTerm => ({
      kind: 'statistics',
      over,
      of: i === 0 ? ['mean', 'min', 'max', 'deviation'] : ['mean', 'deviation'],
    })),
    ...behind,
  ]
  const step: (StepTerm | { kind: 'calendar'; parts: FeatureChoice['calendar'] })[] = [
    ...seasonal.flatMap(({ steps, counts }) =>
      counts.map((count): StepTerm => ({ kind: 'seasonal-lag', seasonSteps: steps, count })),
    ),
    ...(calendar.length === 0 ? [] : [{ kind: 'calendar' as const, parts: calendar }]),
    ...ahead,
  ]
  return { shared, step }
}
