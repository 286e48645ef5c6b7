/**
 * The sources that run, and how they become those of another configuration without losing a reading: what did not change
 * goes on undisturbed, what changed is stopped and starts at its stored cursor, and everything new is made before
 * anything is stopped, so that a mistake in it leaves all as it was.
 */

import { broughtBy, type BroughtSeries } from './brought.ts'
import type { SourceConfig } from './config.ts'
import type { Source } from './source.ts'

export interface SourceSet {
  readonly list: () => readonly Source[]
  /** What all of them bring, as far as it is known before anything came. */
  readonly brought: () => readonly BroughtSeries[]
  readonly start: () => void
  /** Throws what making a source throws; then nothing has changed. */
  readonly apply: (configs: readonly SourceConfig[]) => Promise<SourceChanges>
  /** Makes the source anew and starts it; nothing where it is gone. */
  readonly restart: (name: string) => Promise<void>
  readonly stop: () => Promise<void>
}

/** Names of sources. */
export interface SourceChanges {
  readonly added: readonly string[]
  readonly changed: readonly string[]
  readonly removed: readonly string[]
}

interface Parts {
  /** Sends nothing before `start`. Throws `Failure`. */
  readonly create: (config: SourceConfig) => Promise<Source>
}

interface Member {
  readonly config: SourceConfig
  readonly source: Source
}

const isSame = (a: SourceConfig, b: SourceConfig): boolean => JSON.stringify(a) === JSON.stringify(b)

export const createSourceSet = ({ create }: Parts): SourceSet => {
  let members: readonly Member[] = []
  let running = false
  let turn: Promise<unknown> = Promise.resolve()

  /** One change after the other. */
  const inTurn = <Value>(work: () => Promise<Value>): Promise<Value> => {
    const next = turn.then(work, work)
    turn = next.catch(() => undefined)
    return next
  }
  const nameOf = ({ config }: Member): string => config.name

  const apply = async (configs: readonly SourceConfig[]): Promise<SourceChanges> => {
    const before = new Map(members.map((member) => [nameOf(member), member]))
    const after: Member[] = []
    for (const config of configs) {
      const known = before.get(config.name)
      const isKept = known !== undefined && isSame(known.config, config)
      after.push(isKept ? known : { config, source: await create(config) })
    }
    const gone = members.filter((member) => !after.includes(member))
    const fresh = after.filter((member) => !members.includes(member))
    for (const { source } of gone) await source.stop()
    members = after
    if (running) for (const { source } of fresh) source.start()
    const names = new Set(configs.map(({ name }) => name))
    return {
      added: fresh.map(nameOf).filter((name) => !before.has(name)),
      changed: fresh.map(nameOf).filter((name) => before.has(name)),
      removed: gone.map(nameOf).filter((name) => !names.has(name)),
    }
  }

  const restart = async (name: string): Promise<void> => {
    const failed = members.find((member) => nameOf(member) === name)
    if (failed === undefined) return
    const source = await create(failed.config)
    await failed.source.stop()
    members = members.map((member) => (member === failed ? { config: failed.config, source } : member))
    if (running) source.start()
  }

  return {
    list: () => members.map(({ source }) => source),
    brought: () => members.flatMap(({ config, source }) => broughtBy(config, source)),
    start: () => {
      running = true
      for (const { source } of members) source.start()
    },
    apply: (configs) => inTurn(() => apply(configs)),
    restart: (name) => inTurn(() => restart(name)),
    stop: () =>
      inTurn(async () => {
        running = false
        for (const { source } of members) await source.stop()
      }),
  }
}
