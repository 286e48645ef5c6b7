/**
 * Gradient-boosted trees for forecasting and for plain regression. One ensemble forecasts all steps; early stopping
 * on the validation part says how many trees, then as many are grown on both parts together. Quantiles have
 * ensembles of their own in the same graph.
 */
import { errorSumsOf } from '@imlma/protocol/metrics'
import type { FeatureLayout, Learner, LearnerParts, TrainingExamples, TrainingRun } from '../learner.ts'
import { planNormalisation, usualNormalisation } from '../normalisation.ts'
import { boost, type Boosted, type BoostPart, type BoostRules, type Forest } from './boost.ts'
import { longLayoutOf } from './long-layout.ts'
import { longRowsOf, tableOf, targetsOf, type LongRows } from './long-rows.ts'
import type { LossKind } from './loss.ts'
import { monotoneColumns } from './monotone.ts'
import { ridgeOffsets } from './offset.ts'
import { treesParametersSchema, treesSpace, type TreesParameters } from './parameters.ts'
import { treeGraph } from './tree-graph.ts'
import { forecastQuantiles, forecastTrees, type TreeModel } from './tree-model.ts'

/** Errors of the upper tenth count linearly. Source: Friedman 2001, section 4.4. */
const huberShare = 0.9

/** Rounds between two reports: nobody reads a hundred a second. */
const reportEvery = 10

/** Of the whole way, what early stopping takes where a refit follows. */
const searchFraction = 0.5

export const trees = {
  name: 'trees',
  parametersSchema: treesParametersSchema,
  space: treesSpace,
  train: async (
    parts: LearnerParts,
    examples: TrainingExamples<FeatureLayout>,
    parameters: TreesParameters,
    run: TrainingRun,
  ) => {
    const { builder, train, validation } = examples
    const choice = parameters.normalisation ?? usualNormalisation(builder)
    const normalisation = planNormalisation(builder, choice)
    const layout = longLayoutOf(builder)
    const normalised = choice.level !== 'none' || choice.scale !== 'none'
    const rules = { ...parameters, monotone: monotoneColumns(layout, parameters.monotone, normalised) }
    const share = Math.min(1, parameters.longRowsMax / (train.rows * builder.horizon))
    const known = longRowsOf(train, builder.count, layout, normalisation, share)
    const checkedShare = Math.min(1, parameters.longRowsMax / (validation.rows * builder.horizon))
    const checked = longRowsOf(validation, builder.count, layout, normalisation, checkedShare)
    const offsets = parameters.base === 'none' ? null : await offsetsOf(parts, examples, choice, run)

    const knownTable = tableOf([known], parameters)
    const checkedTable = tableOf([checked], knownTable)
    const searched = lossesOf(parameters).map((loss, i, { length }) =>
      boost(
        partOf(knownTable, [known], [offsets?.train]),
        partOf(checkedTable, [checked], [offsets?.validation]),
        { ...rules, loss },
        run.seed,
        watch(run, 'train', i / length, 1 / length, parameters, parameters.refit ? searchFraction : 1),
      ),
    )
    const [found] = searched as [Boosted, ...Boosted[]]
    const forecasts = inRawUnits(found.validation, checked, offsets?.validation)
    const actuals = Float32Array.from(checked.places, (place) => validation.targets[place] as number)

    const offset = parameters.refit ? await offsets?.refitted() : offsets?.before
    const forests = parameters.refit
      ? regrow([known, checked], [offsets?.train, offsets?.validation], searched, rules, parameters, run)
      : searched.map(({ forest }) => forest)
    const [forecast, ...quantiles] = forests as [Forest, ...Forest[]]
    const model: TreeModel = {
      count: builder.count,
      layout,
      normalisation,
      forecast,
      quantiles,
      probabilities: parameters.quantiles,
      offsetsOf: offset === undefined ? null : (features, rows) => offset.forecast(features, rows),
    }
    run.onProgress({ phase: 'refit', fraction: 1 })
    return {
      graph: treeGraph(model, offset?.graph ?? null),
      forecast: (features: Float32Array, rows: number) => forecastTrees(model, features, rows),
      ...(quantiles.length > 0 && {
        quantiles: {
          probabilities: parameters.quantiles,
          forecast: (features: Float32Array, rows: number) => forecastQuantiles(model, features, rows),
        },
      }),
      parameters: { ...parameters, trees: found.forest.trees.length },
      validation: errorSumsOf(forecasts, actuals),
      residualPlaces: checked.places,
      residuals: forecasts.map((value, i) => value - (actuals[i] as number)),
    }
  },
} satisfies Learner<TreesParameters>

/** The same for every trial on the same examples. */
const offsetsOf: typeof ridgeOffsets = (parts, examples, choice, run) =>
  parts.recall(examples, `ridge offsets ${JSON.stringify(choice)}`, () =>
    ridgeOffsets(parts, examples, choice, run),
  )

/** The forecast's first, then one per quantile. */
const lossesOf = ({ loss, quantiles }: TreesParameters): readonly LossKind[] => {
  const own: LossKind =
    loss === 'squared'
      ? { kind: 'squared' }
      : loss === 'huber'
        ? { kind: 'huber', share: huberShare }
        : { kind: 'pinball', probability: 0.5 }
  return [own, ...quantiles.map((probability): LossKind => ({ kind: 'pinball', probability }))]
}

/** What is forecast already, rows × H in raw units. */
type Known = Float32Array | undefined

const partOf = (
  table: BoostPart['table'],
  rows: readonly LongRows[],
  offsets: readonly Known[],
): BoostPart => {
  const targets = new Float64Array(table.rows)
  let at = 0
  rows.forEach((one, i) => {
    targets.set(targetsOf(one, offsets[i] ?? null), at)
    at += one.places.length
  })
  return { table, targets }
}

/** As many trees as the search kept, on all rows. */
const regrow = (
  rows: readonly LongRows[],
  offsets: readonly Known[],
  searched: readonly Boosted[],
  rules: Omit<BoostRules, 'loss'>,
  parameters: TreesParameters,
  run: TrainingRun,
): readonly Forest[] => {
  const part = partOf(tableOf(rows, parameters), rows, offsets)
  return lossesOf(parameters).map((loss, i, { length }) => {
    const rounds = (searched[i] as Boosted).forest.trees.length
    const report = watch(run, 'refit', i / length, 1 / length, { rounds }, 1 - searchFraction, searchFraction)
    return boost(part, null, { ...rules, loss, rounds }, run.seed, report).forest
  })
}

/** Normalised forecasts of these places in the unit of the series. */
const inRawUnits = (
  normalised: Float64Array,
  { places, layout: { horizon }, levels, scales }: LongRows,
  known: Known,
): Float32Array =>
  Float32Array.from(places, (place, i) => {
    const row = Math.floor(place / horizon)
    const start = known === undefined ? (levels[row] as number) : (known[place] as number)
    return (normalised[i] as number) * (scales[row] as number) + start
  })

const watch =
  (
    run: TrainingRun,
    phase: 'train' | 'refit',
    from: number,
    width: number,
    { rounds }: Pick<TreesParameters, 'rounds'>,
    scale: number,
    shift = 0,
  ) =>
  (round: number, loss: number | undefined): void => {
    run.signal.throwIfAborted()
    if (round % reportEvery !== 0) return
    const fraction = shift + scale * (from + (width * round) / rounds)
    run.onProgress({ phase, fraction, epoch: round, ...(loss !== undefined && { loss }) })
  }
