/** What is posted to `/readings?source=NAME`: documents of any form, mapped as configured, gathered like those of a file. */

import { toSamples, type DocumentMapping } from './intake/document.ts'
import type { Collector } from './intake/collector.timer.ts'
import type { Source, SourceState } from './source.ts'

export interface PostedSource extends Source {
  /** How many values were taken; what was refused is counted. Everything taken is stored when its interval is over. */
  readonly post: (
    document: unknown,
    receivedAt: number,
  ) => { readonly taken: number; readonly refused: number }
}

export const isPostedSource = (source: Source): source is PostedSource => 'post' in source

export const createPostedSource = (
  collector: Collector,
  options: DocumentMapping & { readonly name: string },
): PostedSource => {
  let state: SourceState = 'stopped'
  return {
    name: options.name,
    series: [],
    state: () => state,
    figures: collector.figures,
    post: (document, receivedAt) => {
      const { samples, refused } = toSamples(document, options, { receivedAt })
      collector.take(samples)
      for (const { code, message, item } of refused) {
        collector.reject(code, message, JSON.stringify(item) ?? 'no JSON')
      }
      collector.flush()
      return { taken: samples.length, refused: refused.length }
    },
    start: () => {
      state = 'live'
      collector.start()
    },
    stop: () => {
      state = 'stopped'
      collector.stop()
      return Promise.resolve()
    },
  }
}
