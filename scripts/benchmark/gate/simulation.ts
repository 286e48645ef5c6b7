/**
 * Two models' errors as they come on metering data: autoregressive in time, and like each other, because what neither
 * can foresee (weather, habits) is in the errors of both; each model adds errors of its own.
 */

import { errorSumsOf } from '@imlma/protocol/metrics'
import type { Contest, Evaluation } from '@imlma/coordinator/gate'

const quarterHourMs = 900_000
export const stepsPerDay = 96

export interface Simulation {
  readonly days: number
  readonly meters: number
  /** Of each model's errors at neighbouring quarter hours. */
  readonly autocorrelation: number
  /** Between the two models' errors at the same time. */
  readonly crossCorrelation: number
  /** Between different meters' errors at the same time. */
  readonly meterCorrelation: number
  /** Challenger's MSE divided by the champion's. */
  readonly mseRatio: number
  /** Of the champion's errors relative to the actuals' deviation of one. */
  readonly errorDeviation: number
  /** Steps of a forecast; the losses of a row are the mean over so many targets that overlap with the next row's. */
  readonly horizon: number
}

/** Uniform and normal numbers; a seed a repetition. */
interface Noise {
  normal(): number
}

/** Uniform by mulberry32 (T. Ettinger, public domain), normal by the polar method of Marsaglia. */
export const createNoise = (seed: number): Noise => {
  let state = seed >>> 0
  const uniform = () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
  let spare: number | undefined
  return {
    normal: () => {
      if (spare !== undefined) {
        const value = spare
        spare = undefined
        return value
      }
      for (;;) {
        const [u, v] = [2 * uniform() - 1, 2 * uniform() - 1]
        const s = u * u + v * v
        if (s >= 1 || s === 0) continue
        const factor = Math.sqrt((-2 * Math.log(s)) / s)
        spare = v * factor
        return u * factor
      }
    },
  }
}

/** A stationary autoregressive series of unit variance. */
const autoregressive = (length: number, correlation: number, noise: Noise): Float64Array => {
  const series = new Float64Array(length)
  const innovation = Math.sqrt(1 - correlation ** 2)
  let value = noise.normal()
  for (let i = 0; i < length; i++) {
    series[i] = value
    value = correlation * value + innovation * noise.normal()
  }
  return series
}

const mix = (common: Float64Array, own: Float64Array, correlation: number): Float64Array =>
  common.map((value, i) => Math.sqrt(correlation) * value + Math.sqrt(1 - correlation) * (own[i] as number))

/** Per quarter hour. */
export interface MeterErrors {
  readonly actuals: Float64Array
  readonly champion: Float64Array
  readonly challenger: Float64Array
}

/** One meter's errors at every quarter hour of the window. */
const simulateMeter = (
  simulation: Simulation,
  regions: readonly Float64Array[],
  noise: Noise,
): MeterErrors => {
  const { meterCorrelation, crossCorrelation, mseRatio, autocorrelation, errorDeviation } = simulation
  const steps = (regions[0] as Float64Array).length
  const [shared, one, other] = regions.map((region) =>
    mix(region, autoregressive(steps, autocorrelation, noise), meterCorrelation),
  ) as [Float64Array, Float64Array, Float64Array]
  const actuals = Float64Array.from(
    { length: steps },
    (_, i) => 10 + Math.SQRT2 * Math.sin((2 * Math.PI * i) / stepsPerDay),
  )
  return {
    actuals,
    champion: mix(shared, one, crossCorrelation).map((error) => errorDeviation * error),
    challenger: mix(shared, other, crossCorrelation).map(
      (error) => errorDeviation * Math.sqrt(mseRatio) * error,
    ),
  }
}

/** Errors of all meters; the first row of a series is at 1970. */
export const simulate = (simulation: Simulation, noise: Noise): readonly MeterErrors[] => {
  const steps = simulation.days * stepsPerDay
  const regions = Array.from({ length: 3 }, () => autoregressive(steps, simulation.autocorrelation, noise))
  return Array.from({ length: simulation.meters }, () => simulateMeter(simulation, regions, noise))
}

/** The contest a gate would be given: one row per meter and origin. */
export const toContest = (
  errors: readonly MeterErrors[],
  { days, horizon }: Simulation,
  rowsSha256: string,
): Contest => {
  const steps = days * stepsPerDay
  const origins = steps - horizon + 1
  const meters = errors.map((_, meter) => `meter-${meter + 1}`)
  const rowsOf = <Value>(valueOf: (meter: number, origin: number) => Value): Value[] =>
    meters.flatMap((_name, meter) =>
      Array.from({ length: origins }, (_none, origin) => valueOf(meter, origin)),
    )
  const meanOver = (values: readonly Float64Array[]): Float64Array[] =>
    values.map((own) => slidingMean(own, horizon))
  const evaluationOf = (who: 'champion' | 'challenger', version: number): Evaluation => {
    const squared = meanOver(errors.map((meter) => meter[who].map((error) => error * error)))
    const absolute = meanOver(errors.map((meter) => meter[who].map(Math.abs)))
    const sums = errors.map((meter) =>
      errorSumsOf(
        meter[who].map((error, i) => error + (meter.actuals[i] as number)),
        meter.actuals,
      ),
    )
    const whole = errorSumsOf(
      errors.flatMap((meter) => Array.from(meter[who], (error, i) => error + (meter.actuals[i] as number))),
      errors.flatMap((meter) => [...meter.actuals]),
    )
    return {
      version,
      learner: who,
      errors: whole,
      meters: Object.fromEntries(meters.map((name, i) => [name, sums[i] as Evaluation['errors']])),
      squaredErrors: rowsOf((meter, origin) => squared[meter]?.[origin] as number),
      absoluteErrors: rowsOf((meter, origin) => absolute[meter]?.[origin] as number),
      rowsSha256,
      trainEnd: 0,
    }
  }
  const actuals = meanOver(errors.map((meter) => meter.actuals))
  return {
    window: { start: 0, end: steps * quarterHourMs },
    intervalMs: quarterHourMs,
    horizon,
    rows: {
      meters: rowsOf((meter) => meters[meter] as string),
      origins: rowsOf((_, origin) => origin * quarterHourMs),
      actuals: rowsOf((meter, origin) => actuals[meter]?.[origin] as number),
    },
    champion: evaluationOf('champion', 1),
    challenger: evaluationOf('challenger', 2),
  }
}

const slidingMean = (values: Float64Array, width: number): Float64Array => {
  if (width === 1) return values
  const means = new Float64Array(values.length - width + 1)
  let sum = 0
  for (let i = 0; i < values.length; i++) {
    sum += (values[i] as number) - (i >= width ? (values[i - width] as number) : 0)
    if (i >= width - 1) means[i - width + 1] = sum / width
  }
  return means
}
