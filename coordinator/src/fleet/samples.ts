/** The latest forecasts beside what came, a bounded number per meter: for people to look at, not to compute with. */

import type { ForecastSample } from './fleet.ts'

export interface SampleOptions {
  /** Per model and meter: two days of quarter hours. */
  readonly samplesPerMeterMax: number
  /** Meters over all models; the one that was silent longest goes first. */
  readonly sampledMetersMax: number
}

export const sampleDefaults: SampleOptions = { samplesPerMeterMax: 192, sampledMetersMax: 1_000 }

export interface Samples {
  readonly add: (samples: readonly ForecastSample[]) => void
  /** Oldest first. */
  readonly of: (model: string, meter?: string) => readonly ForecastSample[]
}

export const createSamples = ({ samplesPerMeterMax, sampledMetersMax }: SampleOptions): Samples => {
  // In the order of the last sample: the first key is the meter that was silent longest.
  const byMeter = new Map<string, ForecastSample[]>()
  return {
    add: (samples) => {
      for (const sample of samples) {
        const key = `${sample.model} ${sample.meter}`
        const known = byMeter.get(key) ?? []
        byMeter.delete(key)
        known.push(sample)
        // Samples come in order but for the rare report that was late.
        const ordered = (known.at(-2)?.at ?? 0) <= sample.at ? known : inOrder(known)
        if (ordered.length > samplesPerMeterMax) ordered.shift()
        byMeter.set(key, ordered)
      }
      for (const key of byMeter.keys()) {
        if (byMeter.size <= sampledMetersMax) break
        byMeter.delete(key)
      }
    },
    of: (model, meter) =>
      inOrder(
        meter === undefined
          ? [...byMeter].flatMap(([key, samples]) => (key.startsWith(`${model} `) ? samples : []))
          : (byMeter.get(`${model} ${meter}`) ?? []),
      ),
  }
}

const inOrder = (samples: readonly ForecastSample[]): ForecastSample[] =>
  samples.toSorted((a, b) => a.at - b.at || a.step - b.step)
