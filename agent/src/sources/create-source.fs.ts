/** The source that a configuration asks for. What a kind needs is loaded by the agents that have it. */

import { accept, type Result } from '@imlma/protocol/result'
import type { SourceConfig } from './config.ts'
import type { InspectRefusal } from './file-plan.ts'
import { createPacedSource, type PacedSourceParts } from './paced.timer.ts'
import { createSimulatedFeed } from './simulated.ts'
import type { Source } from './source.ts'

type Parts = Omit<PacedSourceParts, 'feed' | 'clock'>

/** A file that is replayed is read through once before its source exists; nothing is sent before `start`. */
export const createSource = async (
  parts: Parts,
  config: SourceConfig,
): Promise<Result<Source, InspectRefusal>> => {
  if (config.kind === 'simulated') {
    return accept(createPacedSource({ ...parts, feed: createSimulatedFeed(config) }, config))
  }
  if (config.kind !== 'replay') return accept(await createReader(parts, config))
  const [{ inspectFile }, { createReplayFeed }] = await Promise.all([
    import('./inspect.fs.ts'),
    import('./replay.fs.ts'),
  ])
  const file = await inspectFile(config.path, config)
  if (!file.ok) return file
  return accept(createPacedSource({ ...parts, feed: createReplayFeed(file.value, config) }, config))
}

/** Sources of what others write or answer: they wait for it, and their mistakes come later. */
const createReader = async (
  { sink, onFailure = () => undefined }: Parts,
  config: Exclude<SourceConfig, { kind: 'simulated' | 'replay' }>,
): Promise<Source> => {
  const parts = { sink, onFailure }
  switch (config.kind) {
    case 'mqtt':
      return (await import('./concentrator.mqtt.ts')).createConcentratorSource(parts, config)
    case 'file':
      return (await import('./follow.fs.ts')).createFollowSource(parts, config)
    case 'stdin':
      return (await import('./standard-input.process.ts')).createStandardInputSource(parts, config)
    case 'modbus':
      return (await import('./modbus/poll.modbus.ts')).createModbusSource(parts, config)
    case 'dsmr':
      return (await import('./dsmr/p1.net.ts')).createP1Source(parts, config)
    case 'http': {
      const { createCollector } = await import('./intake/collector.timer.ts')
      const { createPostedSource } = await import('./posted-source.ts')
      return createPostedSource(createCollector(parts, config), config)
    }
  }
}
