/** What a backtest found, for programs, and as text for people. */

interface BaselineFigures {
  readonly mse: number | null
  readonly mae: number | null
  /** 1 − MSE of the model / MSE of the baseline. */
  readonly skill: number | null
}

export interface BacktestReport {
  readonly name: string
  /** On the test part; `skill` against seasonal naive. */
  readonly metrics: {
    readonly mse: number | null
    readonly mae: number | null
    readonly rmse: number | null
    readonly r2: number | null
    readonly skill: number | null
    /** Of the quantiles, where there are any. */
    readonly pinball?: number
    /** Share of the actuals between the lowest and the highest quantile. */
    readonly coverage?: number
  }
  /** Probabilities of the quantiles, where there are any. */
  readonly quantiles?: readonly number[]
  readonly baselines: { readonly seasonalNaive: BaselineFigures; readonly persistence: BaselineFigures }
  /** `average` where several are; they are then `parameters.members`. */
  readonly learner: string
  readonly parameters: Readonly<Record<string, unknown>>
  readonly features: string
  /** What chose, and its value before the model saw the validation part. */
  readonly validation: { readonly metric: 'mse' | 'mae'; readonly value: number }
  readonly trials: number
  /** Forecasts on the test part. */
  readonly rows: number
  readonly seed: number
  readonly seconds: number
}

export const printReport = (report: BacktestReport): string => {
  const { metrics, baselines, validation, quantiles = [] } = report
  const line = (title: string, text: string): string => `${title.padEnd(12)}${text}`
  return [
    line('task', report.name),
    line('test', `${report.rows} forecasts`),
    line('MSE', figure(metrics.mse)),
    line('MAE', figure(metrics.mae)),
    line('RMSE', figure(metrics.rmse)),
    line('R²', figure(metrics.r2)),
    line(
      'skill',
      `${figure(baselines.seasonalNaive.skill)} against seasonal naive, ${figure(baselines.persistence.skill)} against persistence`,
    ),
    ...(metrics.pinball === undefined || metrics.coverage === undefined
      ? []
      : [
          line('pinball', `${figure(metrics.pinball)}, mean of ${quantiles.join(', ')}`),
          line('coverage', `${(metrics.coverage * 100).toFixed(1)} % between the lowest and the highest`),
        ]),
    line('learner', `${report.learner} on ${report.features}`),
    line('parameters', JSON.stringify(report.parameters)),
    line(
      'chosen by',
      `validation ${validation.metric} ${figure(validation.value)}, the best of ${report.trials}`,
    ),
    line('time', `${report.seconds} s`),
  ].join('\n')
}

const figure = (value: number | null): string => (value === null ? '–' : String(Number(value.toPrecision(5))))
