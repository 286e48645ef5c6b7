/** What the champions have forecast and a challenger in shadow has yet to forecast: the oldest first, within a bound. */

import type { ForecastBatch } from './forecaster.ts'

/** The champion's side of one batch of pairs. */
export interface ShadowJob {
  readonly model: string
  /** Version of the champion. */
  readonly champion: number
  readonly register: string
  readonly intervalMs: number
  readonly origin: number
  readonly meters: readonly string[]
  /** Steps ahead that are compared, from 1. */
  readonly steps: readonly number[]
  /** meters × steps */
  readonly championValues: Float32Array
}

export const toShadowJob = (batch: ForecastBatch, steps: readonly number[]): ShadowJob => {
  const { model, version, register, origin, meters, builder, values } = batch
  const championValues = chooseSteps(values, builder.horizon, meters.length, steps)
  const { intervalMs } = builder.spec
  return { model, champion: version, register, intervalMs, origin, meters, steps, championValues }
}

/** Of rows × horizon the values of these steps: rows × steps. */
export const chooseSteps = (
  values: Float32Array,
  horizon: number,
  rows: number,
  steps: readonly number[],
): Float32Array => {
  const chosen = new Float32Array(rows * steps.length)
  for (let row = 0, at = 0; row < rows; row++) {
    for (const step of steps) chosen[at++] = values[row * horizon + step - 1] as number
  }
  return chosen
}

/** `valuesMax`: values of champions that wait. One job always has room. */
export const createShadowQueue = (valuesMax: number) => {
  const jobs: ShadowJob[] = []
  let values = 0
  const take = (): ShadowJob | undefined => {
    const job = jobs.shift()
    values -= job?.championValues.length ?? 0
    return job
  }
  return {
    take,
    isEmpty: () => jobs.length === 0,
    /** Returns how many rows had to go for it. */
    add: (job: ShadowJob): number => {
      jobs.push(job)
      values += job.championValues.length
      const tooMany = (): boolean => values > valuesMax && jobs.length > 1
      let dropped = 0
      while (tooMany()) dropped += take()?.meters.length ?? 0
      return dropped
    },
  }
}
