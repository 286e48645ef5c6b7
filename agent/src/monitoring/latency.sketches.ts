/**
 * How long runs take, as a sketch: percentiles within 1 % of their value, 4 kB whatever the count, and sketches of a
 * fleet merge into the percentiles over all of it.
 */

import { DDSketch } from '@datadog/sketches-js'

/** Milliseconds. */
export interface Percentiles {
  readonly p50: number
  readonly p95: number
  readonly p99: number
}

export interface LatencySketch {
  readonly add: (durationMs: number) => void
  readonly count: () => number
  /** Null while nothing was added. */
  readonly percentiles: () => Percentiles | null
  /** DDSketch's protobuf form, of durations in seconds; null while nothing was added. */
  readonly bytes: () => Uint8Array<ArrayBuffer> | null
}

/** Both sides must agree: only sketches of the same accuracy merge. */
const relativeAccuracy = 0.01

export const createLatencySketch = (): LatencySketch => {
  const sketch = new DDSketch({ relativeAccuracy })
  const quantileMs = (quantile: number): number => sketch.getValueAtQuantile(quantile) * 1_000
  return {
    add: (durationMs) => sketch.accept(durationMs / 1_000),
    count: () => sketch.count,
    percentiles: () =>
      sketch.count === 0 ? null : { p50: quantileMs(0.5), p95: quantileMs(0.95), p99: quantileMs(0.99) },
    bytes: () => (sketch.count === 0 ? null : new Uint8Array(sketch.toProto())),
  }
}
