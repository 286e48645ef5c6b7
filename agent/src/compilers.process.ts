/**
 * Turns V8's compilers on while the local API is busy, and off again when it has been quiet.
 *
 * An agent runs in the interpreter (`bin/imlma-agent.mjs` says why: 11 MB), which answers about 8,000 small requests a
 * second on a core. Compiled, the same code answers 26,000, for 15 to 20 MB. So the memory is spent only while somebody
 * asks that much; what was compiled goes with the collection after it. Where the compilers are on anyway, nothing happens.
 */

import { setFlagsFromString } from 'node:v8'

export interface CompilersOptions {
  /** Requests in one look above which it is busy: a tenth of what the interpreter answers. */
  readonly busyRequests?: number
  readonly lookEveryMs?: number
  /** Looks below that in a row after which it is quiet. */
  readonly quietLooks?: number
}

interface Parts {
  readonly set: (on: boolean) => void
  /** Gives back what is no longer needed. */
  readonly collect: (() => Promise<void>) | undefined
}

export interface Compilers {
  /** A request came. */
  readonly note: () => void
  readonly stop: () => void
}

/** In the order in which code climbs through them. */
const tiers = ['sparkplug', 'maglev', 'turbofan']

const setCompilers = (on: boolean): void => {
  for (const tier of tiers) setFlagsFromString(on ? `--${tier}` : `--no-${tier}`)
}

/** `execArgv`: the flags that this process was born with. */
export const keepCompilers = (
  execArgv: readonly string[],
  collect: Parts['collect'],
  options?: CompilersOptions,
): Compilers =>
  execArgv.includes('--no-turbofan')
    ? followLoad({ set: setCompilers, collect }, options)
    : { note: () => undefined, stop: () => undefined }

export const followLoad = (
  { set, collect }: Parts,
  { busyRequests = 200, lookEveryMs = 250, quietLooks = 240 }: CompilersOptions = {},
): Compilers => {
  let requests = 0
  let quiet = 0
  let on = false
  const look = (): void => {
    const busy = requests >= busyRequests
    requests = 0
    quiet = busy ? 0 : quiet + 1
    if (busy === on || (on && quiet < quietLooks)) return
    on = busy
    set(on)
    if (!on) void collect?.()
  }
  const looking = setInterval(look, lookEveryMs).unref()
  return {
    note: () => void (requests += 1),
    stop: () => clearInterval(looking),
  }
}
