/**
 * Which part of a window trains, which chooses, which judges. Ranges are of *target* times: an example belongs to a
 * part when all its targets do; its context may reach back into the part before.
 *
 *   train | gap of the horizon | validation | gap of the horizon | evaluation
 */
import { accept, refuse, type Result } from '@imlma/protocol/result'

/** `start ≤ time < end`, epoch milliseconds. */
export interface TimeRange {
  readonly start: number
  readonly end: number
}

export interface WindowPlan {
  readonly window: TimeRange
  readonly trainEnd: number
  readonly evaluation: TimeRange
}

export interface TrainingSplit {
  readonly train: TimeRange
  readonly validation: TimeRange
}

/** Sets the last `evaluationSteps` of the window apart for the gate. */
export const planWindow = (
  window: TimeRange,
  { intervalMs, horizon, evaluationSteps }: { intervalMs: number; horizon: number; evaluationSteps: number },
): Result<WindowPlan, 'TOO_SHORT'> => {
  const evaluation = { start: window.end - evaluationSteps * intervalMs, end: window.end }
  const trainEnd = evaluation.start - horizon * intervalMs
  if (evaluationSteps < horizon || trainEnd - window.start < 4 * horizon * intervalMs) {
    const have = Math.floor((window.end - window.start) / intervalMs)
    return refuse(
      'TOO_SHORT',
      `${have} steps are too few to train on and to set ${evaluationSteps} apart for the evaluation`,
      'wait for more readings, or shorten the horizon or the evaluation',
    )
  }
  return accept({ window, trainEnd, evaluation })
}

/** Splits what lies before `trainEnd`: the last `validationShare` chooses hyper-parameters. */
export const splitTraining = (
  { start, trainEnd }: { start: number; trainEnd: number },
  {
    intervalMs,
    horizon,
    validationShare = 0.2,
  }: { intervalMs: number; horizon: number; validationShare?: number },
): TrainingSplit => {
  const steps = Math.floor((trainEnd - start) / intervalMs)
  const validationSteps = Math.max(horizon, Math.round(steps * validationShare))
  const validation = { start: trainEnd - validationSteps * intervalMs, end: trainEnd }
  return { train: { start, end: validation.start - horizon * intervalMs }, validation }
}

/**
 * Rolling origin: the validation part of `splitTraining` in equal blocks, each trained on everything before it less a
 * gap of the horizon. Oldest first; a configuration that is good only lately or only long ago shows.
 */
export const rollingOrigin = (
  { train, validation }: TrainingSplit,
  { intervalMs, horizon, folds }: { intervalMs: number; horizon: number; folds: number },
): readonly TrainingSplit[] => {
  const steps = Math.floor((validation.end - validation.start) / intervalMs / folds)
  // A block must hold at least one whole horizon.
  if (folds <= 1 || steps < horizon) return [{ train, validation }]
  return Array.from({ length: folds }, (_, fold) => {
    const start = validation.start + fold * steps * intervalMs
    const end = fold === folds - 1 ? validation.end : start + steps * intervalMs
    return { train: { start: train.start, end: start - horizon * intervalMs }, validation: { start, end } }
  })
}
