/**
 * Do the inputs still look as they did in training? Each window reports its own counts (they merge); the verdict looks
 * back over several days of event time, because an hour of load never looks like a season of it.
 */

import {
  createHistogramCounter,
  decidePsi,
  mergeHistograms,
  rowsOf,
  type Histogram,
  type HistogramCounter,
  type PsiVerdict,
} from '@imlma/protocol/drift'
import { dayMs } from '@imlma/protocol/series'

export interface InputDrift {
  /** Counts some rows of a batch; `features` is rows × columns. */
  readonly add: (features: Float32Array, rows: number, origin: number) => void
  /** Per input: what was counted since the last call, and the verdict over the days kept. */
  readonly takeWindow: () => Readonly<Record<string, InputWindow>>
}

export interface InputWindow {
  readonly histogram: Histogram
  readonly verdict: PsiVerdict
}

interface Options {
  /** Per input, as signed with the model. */
  readonly reference: Readonly<Record<string, { readonly histogram: Histogram }>>
  /** Name of every column. */
  readonly columns: readonly string[]
  /** Rows counted of one batch, spread over its meters: neighbours say nearly the same. */
  readonly rowsPerBatchMax?: number
  /** Days of event time that a verdict looks back, so that every weekday is in it once. */
  readonly daysMax?: number
}

interface Watched {
  readonly name: string
  readonly column: number
  readonly reference: Histogram
  window: HistogramCounter
  /** By day number, oldest first. */
  readonly days: Map<number, HistogramCounter>
}

export const createInputDrift = ({
  reference,
  columns,
  rowsPerBatchMax = 64,
  daysMax = 7,
}: Options): InputDrift => {
  const watched: readonly Watched[] = Object.entries(reference).flatMap(([name, { histogram }]) => {
    const column = columns.indexOf(name)
    const window = createHistogramCounter(histogram.edges)
    return column < 0 ? [] : [{ name, column, reference: histogram, window, days: new Map() }]
  })
  let batches = 0
  let firstOrigin = Infinity
  let lastOrigin = -Infinity

  const dayOf = (input: Watched, day: number): HistogramCounter => {
    const known = input.days.get(day)
    if (known !== undefined) return known
    const fresh = createHistogramCounter(input.reference.edges)
    input.days.set(day, fresh)
    if (input.days.size > daysMax) input.days.delete(Math.min(...input.days.keys()))
    return fresh
  }

  return {
    add: (features, rows, origin) => {
      if (rows === 0) return
      const stride = Math.max(1, Math.ceil(rows / rowsPerBatchMax))
      // Begins elsewhere with every batch, so that every meter is seen in turn.
      const first = batches++ % stride
      firstOrigin = Math.min(firstOrigin, origin)
      lastOrigin = Math.max(lastOrigin, origin)
      for (const input of watched) {
        const day = dayOf(input, Math.floor(origin / dayMs))
        for (let row = first; row < rows; row += stride) {
          const value = features[row * columns.length + input.column] as number
          input.window.add(value)
          day.add(value)
        }
      }
    },
    takeWindow: () => {
      const wholeDay = lastOrigin - firstOrigin >= dayMs
      return Object.fromEntries(
        watched.map((input) => {
          const histogram = input.window.histogram()
          input.window = createHistogramCounter(input.reference.edges)
          return [input.name, { histogram, verdict: verdictOf(input, wholeDay) }]
        }),
      )
    },
  }
}

const verdictOf = ({ reference, days }: Watched, wholeDay: boolean): PsiVerdict => {
  const empty: Histogram = { edges: reference.edges, counts: reference.counts.map(() => 0) }
  const counted = [...days.values()].map((day) => day.histogram()).reduce(mergeHistograms, empty)
  if (wholeDay) return decidePsi(reference, counted)
  return {
    level: 'too-few',
    psi: null,
    limit: null,
    referenceRows: rowsOf(reference),
    rows: rowsOf(counted),
    reason: 'less than a day of event time was seen',
  }
}
