/**
 * One backtest: choose on the validation part, write the model as an ONNX file, and let that file forecast the test
 * part, which is looked at once.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createFeatureBuilder } from '@imlma/protocol/features'
import { metricsOf, skillOf, type ErrorSums } from '@imlma/protocol/metrics'
import { evaluateModel } from '../training/evaluate.onnx.ts'
import { buildExamples, placesOf } from '../training/examples.ts'
import { encodeModel } from '../training/model.protobuf.ts'
import { createLearnerParts } from '../training/parts.onnx.ts'
import { openForecastSession } from '../training/session.onnx.ts'
import { zoneTransitions } from '../training/zone.os.ts'
import { choose, type Chosen } from './choose.ts'
import { featureSpecsOf } from './features.ts'
import { toMaterial, type Material } from './material.ts'
import type { PlottedStep } from './plot.ts'
import { createRangeJudge, type RangeFigures } from './range-figures.ts'
import type { BacktestReport } from './report.ts'
import { readTable } from './table.csv.ts'
import type { BacktestTask } from './task.ts'

export interface BacktestOptions {
  readonly dataPath: string
  readonly say: (line: string) => void
  /** Steps of the test part to return beside the report; 0: none. */
  readonly plotSteps: number
}

/** Throws the `Failure`s of reading, choosing and evaluating. */
export const runBacktest = async (
  task: BacktestTask,
  { dataPath, say, plotSteps }: BacktestOptions,
): Promise<{ readonly report: BacktestReport; readonly steps: readonly PlottedStep[] }> => {
  const startedAt = performance.now()
  const seconds = () => (performance.now() - startedAt) / 1_000
  const material = toMaterial(task, await readTable(dataPath), { zoneTransitions })
  const specs = featureSpecsOf(task, material)
  const parts = await createLearnerParts()
  const chosen = await choose(task, material, specs, { parts, seconds, say })
  const folder = await mkdtemp(join(tmpdir(), 'imlma-backtest-'))
  try {
    const path = join(folder, 'model.onnx')
    await writeFile(path, encodeModel(chosen.graph, { task: task.name }))
    const evaluation = await evaluateModel(material.content, {
      path,
      spec: chosen.spec,
      range: material.test,
      originStride: task.stride,
      baselineSeasonSteps: material.seasonSteps,
    })
    const { mse, mae, rmse, r2 } = metricsOf(evaluation.errors)
    const against = (baseline: ErrorSums) => {
      const figures = metricsOf(baseline)
      return { mse: figures.mse, mae: figures.mae, skill: skillOf(evaluation.errors, baseline) }
    }
    const baselines = {
      seasonalNaive: against(evaluation.baseline),
      persistence: against(evaluation.persistence),
    }
    const range = await rangeOf(task, material, chosen, path)
    const steps = plotSteps > 0 ? await forecastSteps(task, material, chosen, path, plotSteps) : []
    return {
      steps,
      report: {
        name: task.name,
        metrics: { mse, mae, rmse, r2, skill: baselines.seasonalNaive.skill, ...range },
        ...(range && { quantiles: chosen.quantiles }),
        baselines,
        learner: chosen.learner,
        parameters: chosen.parameters,
        features: chosen.features,
        validation: { metric: task.metric, value: chosen.validation },
        trials: chosen.trials,
        rows: evaluation.rows,
        seed: task.seed,
        seconds: Math.round(seconds() * 100) / 100,
      },
    }
  } finally {
    await rm(folder, { recursive: true })
  }
}

/** Rows per run: keeps the memory of a long test part flat. */
const batchRows = 1_024

/** On the same rows as the other figures; undefined where the model has no quantiles. */
const rangeOf = async (
  { stride, horizon }: BacktestTask,
  { content, test }: Material,
  { spec, quantiles }: Chosen,
  path: string,
): Promise<RangeFigures | undefined> => {
  if (quantiles.length === 0) return undefined
  const builder = createFeatureBuilder(spec)
  const places = placesOf(content, builder, test, stride)
  const judge = createRangeJudge(quantiles, horizon)
  const session = await openForecastSession(path)
  try {
    for (let first = 0; first < places.length; first += batchRows) {
      const examples = buildExamples(content, builder, places.slice(first, first + batchRows), 'any')
      if (examples.rows > 0)
        judge.add(await session.quantiles(examples.features, examples.rows), examples.targets)
    }
    return judge.figures()
  } finally {
    await session.close()
  }
}

/** The first target's test part from its beginning on, each step forecast once. */
const forecastSteps = async (
  { horizon, stride }: BacktestTask,
  { content, test, intervalMs, shiftMs }: Material,
  { spec }: Chosen,
  path: string,
  stepsMax: number,
): Promise<readonly PlottedStep[]> => {
  const builder = createFeatureBuilder(spec)
  const [first] = content.series
  if (first === undefined) return []
  const apart = Math.ceil(horizon / stride) * stride * intervalMs
  const one = { series: [first], covariates: content.covariates }
  const places = placesOf(one, builder, test, stride)
  const wanted = places
    .filter(({ origin }) => (origin - (places[0]?.origin ?? 0)) % apart === 0)
    .slice(0, Math.ceil(stepsMax / horizon))
  const examples = buildExamples(one, builder, wanted, 'any')
  const session = await openForecastSession(path)
  try {
    const forecasts = await session.run(examples.features, examples.rows)
    return Array.from(forecasts, (forecast, i) => ({
      time: (examples.origins[Math.floor(i / horizon)] as number) + (i % horizon) * intervalMs + shiftMs,
      forecast,
      actual: examples.targets[i] as number,
    }))
  } finally {
    await session.close()
  }
}
