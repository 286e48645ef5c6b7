/** Keeps the proven time on disk, seldom, and says once when the clock stops being believed, and when it is again. */

import type { ProvenClock } from './clock.ts'
import type { ClockFile } from './clock.fs.ts'
import type { ClockVerdict } from './proven-time.ts'

interface Parts {
  readonly clock: Pick<ProvenClock, 'verdict' | 'proven'>
  readonly file: Pick<ClockFile, 'write'>
  /** Called once for each turn, never at the start where nothing was proven yet. */
  readonly onVerdict: (verdict: ClockVerdict) => void
  readonly onFailure: (cause: unknown) => void
}

export interface KeeperOptions {
  readonly lookMs: number
  /** Looks between two writes: what a power cut may take of the running time, against the wear of the flash. */
  readonly looksPerWrite: number
}

const keeperDefaults: KeeperOptions = { lookMs: 5_000, looksPerWrite: 120 }

export interface ClockKeeper {
  /** One look: what the timer does. */
  readonly look: () => Promise<void>
  /** Ends the looking; the proven time is on disk when it resolves. */
  readonly stop: () => Promise<void>
}

export const keepClock = (
  { clock, file, onVerdict, onFailure }: Parts,
  { lookMs, looksPerWrite }: KeeperOptions = keeperDefaults,
): ClockKeeper => {
  let said: ClockVerdict = 'trusted'
  let looks = 0
  let knew = isKnown(clock)

  const write = (): Promise<void> =>
    isKnown(clock) ? file.write(clock.proven()).catch(onFailure) : Promise.resolve()

  const look = async (): Promise<void> => {
    looks += 1
    const first = isKnown(clock) && !knew
    knew ||= first
    const verdict = clock.verdict()
    // A new gateway has heard nobody yet; what it could not judge is no news.
    if (knew && verdict !== said) {
      said = verdict
      onVerdict(verdict)
    }
    if (first || looks % looksPerWrite === 0) await write()
  }
  const timer = setInterval(() => void look(), lookMs)
  timer.unref()
  return {
    look,
    stop: () => {
      clearInterval(timer)
      return write()
    },
  }
}

const isKnown = (clock: Pick<ProvenClock, 'proven'>): boolean => Object.keys(clock.proven().floors).length > 0
