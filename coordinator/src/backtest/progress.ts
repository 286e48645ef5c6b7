/** How far a study is, in lines for people: one after every trial, and one now and then within a long one. */
import type { AutoParts } from '../training/auto/auto.ts'
import type { BacktestTask } from './task.ts'

/** Within a trial a line so often at the most. */
const stepSeconds = 5

export const createReporter = (
  { trials, metric }: Pick<BacktestTask, 'trials' | 'metric'>,
  seconds: () => number,
  say: (line: string) => void,
): Required<Pick<AutoParts, 'onTrial' | 'onStep'>> => {
  const startedAt = seconds()
  let saidAt = startedAt
  const tell = (line: string): void => {
    saidAt = seconds()
    say(`${line}, ${(saidAt - startedAt).toFixed(0)} s`)
  }
  return {
    onStep: (trial, learner, { phase, fraction, epoch, loss }) => {
      if (seconds() - saidAt < stepSeconds) return
      const where = epoch === undefined ? phase : `${phase}, epoch ${epoch}`
      const how = loss === undefined ? '' : `, loss ${loss.toPrecision(4)}`
      const far = `${(100 * fraction).toFixed(0)} %`
      tell(
        `${progressBar(trial / trials)} trial ${trial + 1} of ${trials}: ${learner} ${far} (${where}${how})`,
      )
    },
    onTrial: (state, done) => {
      const values = state.trials.flatMap(({ outcome }) => (outcome?.kind === 'done' ? [outcome.value] : []))
      const { configuration, outcome } = state.trials.at(-1) ?? {}
      const value =
        outcome?.kind === 'failed'
          ? `failed (${outcome.reason})`
          : `${outcome?.value.toPrecision(5)}${outcome?.kind === 'discarded' ? ' (not finished)' : ''}`
      const best = Math.min(...values).toPrecision(5)
      tell(
        `${progressBar(done / trials)} trial ${done} of ${trials}: ${String(configuration?.['learner'])} ${metric} ${value}, best ${best}`,
      )
      return Promise.resolve()
    },
  }
}

/** A bar of 20 characters. */
const progressBar = (fraction: number): string => {
  const filled = Math.round(20 * Math.min(1, Math.max(0, fraction)))
  return `[${'#'.repeat(filled)}${'-'.repeat(20 - filled)}]`
}
