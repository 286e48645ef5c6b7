/**
 * Latencies of a whole fleet out of the sketches of its agents. Bins are added one by one into a sketch of our own:
 * what comes from outside decides neither its accuracy nor its size, and the percentiles stay within 1 % of their value.
 */

import { DDSketch } from '@datadog/sketches-js'
import { accept, refuse, type Result } from '@imlma/protocol/result'

/** Milliseconds. */
export interface Percentiles {
  readonly p50: number
  readonly p95: number
  readonly p99: number
}

export interface MergedLatency {
  /** DDSketch's protobuf form, of durations in seconds. A refused sketch changes nothing. */
  readonly add: (sketch: Uint8Array) => Result<void, 'BAD_SKETCH'>
  /** Null while nothing was added. */
  readonly percentiles: () => Percentiles | null
  readonly bytes: () => Uint8Array<ArrayBuffer> | null
}

/** The agents' accuracy; sketches of another one have other bins and cannot be added. */
const relativeAccuracy = 0.01
const gamma = (1 + relativeAccuracy) / (1 - relativeAccuracy)
/** Eight bytes a bin; an honest sketch has 128 to 1,000 of them. */
const sketchBytesMax = 32_768
/** Bins from 10⁻¹⁷ to 10¹⁷ seconds: beyond is no latency, and two far bins would span memory without end. */
const binMax = 2_048

export const createMergedLatency = (): MergedLatency => {
  const merged = new DDSketch({ relativeAccuracy })
  const quantileMs = (quantile: number): number => merged.getValueAtQuantile(quantile) * 1_000
  return {
    add: (bytes) => {
      const sketch = parseSketch(bytes)
      if (sketch === undefined) return refuse('BAD_SKETCH', `${bytes.byteLength} bytes are no latency sketch`)
      for (const [bin, count] of binsOf(sketch)) merged.store.add(bin, count)
      merged.zeroCount += sketch.zeroCount
      merged.count = merged.store.count + merged.zeroCount
      return accept(undefined)
    },
    percentiles: () =>
      merged.count === 0 ? null : { p50: quantileMs(0.5), p95: quantileMs(0.95), p99: quantileMs(0.99) },
    bytes: () => (merged.count === 0 ? null : new Uint8Array(merged.toProto())),
  }
}

const parseSketch = (bytes: Uint8Array): DDSketch | undefined => {
  if (bytes.byteLength > sketchBytesMax) return undefined
  try {
    const sketch = DDSketch.fromProto(bytes)
    const counts = [sketch.zeroCount, ...sketch.store.bins]
    const plausible =
      Math.abs(sketch.mapping.gamma - gamma) < 1e-9 &&
      sketch.negativeStore.count === 0 &&
      counts.every((count) => Number.isSafeInteger(count) && count >= 0) &&
      binsOf(sketch).every(([bin]) => Math.abs(bin) <= binMax)
    return plausible ? sketch : undefined
  } catch {
    // The decoder says no by throwing, in many ways.
    return undefined
  }
}

const binsOf = ({ store }: DDSketch): readonly (readonly [bin: number, count: number])[] =>
  store.bins.map((count, index) => [index + store.offset, count] as const).filter(([, count]) => count > 0)
