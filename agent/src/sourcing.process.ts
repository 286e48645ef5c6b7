/** The sources of one agent, put together: made from its configuration, started again where one failed, changed while it runs. */

import { Failure } from '@imlma/protocol/result'
import type { Log } from './log.pino.ts'
import type { SourceConfig } from './sources/config.ts'
import { createSource } from './sources/create-source.fs.ts'
import { createSourceSet, type SourceSet } from './sources/source-set.ts'
import type { ReadingSink, Source } from './sources/source.ts'
import type { Supervisor } from './supervisor/supervisor.timer.ts'

interface Parts {
  readonly sink: ReadingSink
  readonly supervisor: Supervisor
  readonly log: Log
  /** Does it now, or when the sink can say how far a source has come. */
  readonly whenOpen: (work: () => void) => void
}

/** Milliseconds between two looks for a source that failed: much less than the shortest pause before a restart. */
const lookEveryMs = 1_000

/** Made and not started; while the sink is not open, made when it is. Throws `Failure`: a mistake in the last source is found before the first has sent anything. */
export const openSources = async (
  configs: readonly SourceConfig[],
  { sink, supervisor, log, whenOpen }: Parts,
): Promise<SourceSet> => {
  const causes = new Map<string, unknown>()
  const create = async (config: SourceConfig): Promise<Source> => {
    const onFailure = (cause: unknown): void => {
      causes.set(config.name, cause)
      log.warn({ source: config.name, err: cause }, 'source')
    }
    const source = await createSource({ sink, onFailure }, config)
    if (source.ok) return source.value
    const { code, message, hint } = source.refusal
    const named = config.kind === 'replay' ? `source ${config.name}, ${config.path}` : `source ${config.name}`
    throw new Failure(code, `${named}: ${message}`, hint === undefined ? {} : { hint })
  }
  const set = createSourceSet({ create })
  let wantedLast = configs
  let isOpen: boolean | undefined
  whenOpen(() => {
    if (isOpen === undefined) {
      isOpen = true
      return
    }
    const begin = async (): Promise<void> => void (await set.apply(wantedLast))
    begin().catch((cause: unknown) => supervisor.failed('sources', cause, begin))
  })
  isOpen ??= false
  if (isOpen) await set.apply(configs)

  const lookForFailed = (): void => {
    for (const { name, state } of set.list())
      if (state() === 'failed') supervisor.failed(`source ${name}`, causes.get(name), () => set.restart(name))
  }
  let looking: NodeJS.Timeout | undefined
  return {
    ...set,
    start: () => {
      set.start()
      looking = setInterval(lookForFailed, lookEveryMs).unref()
    },
    apply: async (wanted) => {
      const changes = await set.apply(wanted)
      wantedLast = wanted
      for (const name of [...changes.changed, ...changes.removed]) {
        supervisor.forget(`source ${name}`)
        causes.delete(name)
      }
      return changes
    },
    stop: async () => {
      clearInterval(looking)
      await set.stop()
    },
  }
}
