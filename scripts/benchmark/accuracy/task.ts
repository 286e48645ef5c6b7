/** One accuracy task: candidates are compared on the validation part, the winner's ONNX file on the test part. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { FeatureSpec } from '@imlma/protocol/features'
import { metricsOf } from '@imlma/protocol/metrics'
import type { SnapshotContent, TimeRange, TrainingSplit } from '@imlma/coordinator/datasets'
import {
  createLearnerParts,
  encodeModel,
  evaluateModel,
  prepareExamples,
  ridge,
  type RidgeParameters,
} from '@imlma/coordinator/training'

export interface Candidate {
  readonly name: string
  readonly spec: FeatureSpec
  readonly parameters: Partial<RidgeParameters>
}

export interface Task {
  readonly name: string
  readonly metric: 'mae' | 'mse'
  readonly unit: string
  /** What the issue asks of ridge, and what a later one asks of everything together. */
  readonly bar: number
  readonly stretch: number
  readonly reference: string
  readonly content: Pick<SnapshotContent, 'series' | 'covariates'>
  readonly split: TrainingSplit
  readonly test: TimeRange
  readonly originStride: number
  readonly candidates: readonly Candidate[]
}

export interface TaskResult extends Pick<Task, 'name' | 'metric' | 'unit' | 'bar' | 'stretch' | 'reference'> {
  readonly value: number
  readonly held: boolean
  readonly metrics: ReturnType<typeof metricsOf>
  readonly baseline: ReturnType<typeof metricsOf>
  readonly rows: number
  readonly chosen: string
  readonly parameters: RidgeParameters
  readonly validation: number
  readonly seconds: number
}

export const runTask = async (task: Task, say: (line: string) => void): Promise<TaskResult> => {
  const started = performance.now()
  const parts = await createLearnerParts()
  const run = { seed: 1, onProgress: () => undefined, signal: new AbortController().signal }
  let best:
    { candidate: Candidate; loss: number; trained: Awaited<ReturnType<typeof ridge.train>> } | undefined
  for (const candidate of task.candidates) {
    const examples = prepareExamples(task.content, candidate.spec, task.split, {
      originStride: task.originStride,
    })
    const parameters = ridge.parametersSchema.parse(candidate.parameters)
    const trained = await ridge.train(parts, examples, parameters, run)
    const loss = metricsOf(trained.validation)[task.metric] ?? Infinity
    say(`${candidate.name}: validation ${task.metric} ${loss.toPrecision(5)}, λ ${trained.parameters.lambda}`)
    if (best === undefined || loss < best.loss) best = { candidate, loss, trained }
  }
  if (best === undefined) throw new Error(`${task.name} has no candidate`)
  const folder = await mkdtemp(join(tmpdir(), 'imlma-accuracy-'))
  try {
    const path = join(folder, 'model.onnx')
    await writeFile(path, encodeModel(best.trained.graph))
    const { originStride, test: range, content } = task
    const evaluation = await evaluateModel(content, { path, spec: best.candidate.spec, range, originStride })
    const metrics = metricsOf(evaluation.errors)
    const value = metrics[task.metric] ?? Infinity
    const { name, metric, unit, bar, stretch, reference } = task
    return {
      name,
      metric,
      unit,
      bar,
      stretch,
      reference,
      value,
      held: value <= bar,
      metrics,
      baseline: metricsOf(evaluation.baseline),
      rows: evaluation.rows,
      chosen: best.candidate.name,
      parameters: best.trained.parameters,
      validation: best.loss,
      seconds: Math.round((performance.now() - started) / 100) / 10,
    }
  } finally {
    await rm(folder, { recursive: true })
  }
}
