/** The source that a configuration asks for. */

import { accept, type Result } from '@imlma/protocol/result'
import type { SourceConfig } from './config.ts'
import type { InspectRefusal } from './file-plan.ts'
import { createPacedSource, type PacedSourceParts } from './paced.timer.ts'
import { createSimulatedFeed } from './simulated.ts'
import type { Source } from './source.ts'

/** A file is read through once before its source exists; nothing is sent before `start`. */
export const createSource = async (
  parts: Omit<PacedSourceParts, 'feed'>,
  config: SourceConfig,
): Promise<Result<Source, InspectRefusal>> => {
  if (config.kind === 'simulated') {
    return accept(createPacedSource({ ...parts, feed: createSimulatedFeed(config) }, config))
  }
  // Reading CSV is loaded by the agents that do.
  const [{ inspectFile }, { createReplayFeed }] = await Promise.all([
    import('./inspect.fs.ts'),
    import('./replay.fs.ts'),
  ])
  const file = await inspectFile(config.path, config)
  if (!file.ok) return file
  return accept(createPacedSource({ ...parts, feed: createReplayFeed(file.value, config) }, config))
}
