/** CSV or NDJSON from standard input: what another program measures, piped in. It cannot be read again. */

import type { Readable } from 'node:stream'
import { createCollector, type CollectorParts } from './intake/collector.timer.ts'
import type { DocumentMapping } from './intake/document.ts'
import { createLineReader, type LineFormat } from './line-reader.ts'
import { createLines, type Line } from './lines.ts'
import type { Source, SourceState } from './source.ts'

export interface StandardInputOptions extends LineFormat, DocumentMapping {
  readonly name: string
}

export const createStandardInputSource = (
  parts: CollectorParts & { readonly input?: Readable },
  options: StandardInputOptions,
): Source => {
  const { input = process.stdin } = parts
  const now = parts.clock?.now ?? Date.now
  const collector = createCollector(parts, options)
  const reader = createLineReader(collector, options, options)
  const lines = createLines()
  let state: SourceState = 'stopped'

  const take = (line: Line): void => {
    if (reader.wantsHeader()) reader.begin(line.text)
    else reader.read(line, now())
  }
  const onData = (bytes: Uint8Array): void => {
    for (const line of lines.push(bytes)) take(line)
    collector.flush()
  }
  const onEnd = (): void => {
    const rest = lines.rest()
    if (rest !== undefined) take(rest)
    collector.flush({ isCheckpoint: true })
    state = 'ended'
  }
  const onError = (cause: Error): void => {
    collector.interrupted(cause.message, 'standard input')
    state = 'failed'
  }

  return {
    name: options.name,
    series: [],
    state: () => state,
    figures: collector.figures,
    start: () => {
      state = 'live'
      reader.begin(undefined)
      collector.start()
      input.on('data', onData).once('end', onEnd).on('error', onError)
    },
    stop: () => {
      input.off('data', onData).off('end', onEnd).off('error', onError).pause()
      if (state === 'live') state = 'stopped'
      collector.stop()
      return Promise.resolve()
    },
  }
}
