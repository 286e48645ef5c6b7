/**
 * The crash book: which digests have cost a worker, and when. Crashes count in a sliding window, whatever went well
 * between them: a version that leaks for hours and dies, again and again, is as bad as one that dies at once.
 *
 * It is part of the agent's state, so a quarantine and the crash that led to it are written in one moment.
 */

import { z } from 'zod'
import { sha256Schema } from '@imlma/protocol/wire'

/** The book's bounds, with their reasons. */
export const crashLimits = {
  /** Crashes of one digest within the window after which it is never served again. One may be a power cut or a full memory; three are not. */
  crashesMax: 3,
  /** Two days and an hour: what happens once a night is condemned on the third morning. */
  windowMs: 2 * 86_400_000 + 3_600_000,
  /** Crashes remembered over all digests, oldest forgotten first: three of each that may be loaded are far fewer. */
  rememberedMax: 192,
} as const

const crashSchema = z.object({
  sha256: sha256Schema,
  /** Epoch milliseconds by the clock that the machines go by. */
  at: z.number().int(),
})
export const crashesSchema = z.array(crashSchema).max(crashLimits.rememberedMax)
export type Crashes = z.infer<typeof crashesSchema>

export interface CrashNoted {
  readonly crashes: Crashes
  /** Of this digest, within the window, this one included. */
  readonly count: number
  /** This one was one too many. */
  readonly isCondemned: boolean
}

/**
 * The book with one more crash. A clock that was set back does not make crashes of the time after it disappear: what lies
 * in the future counts as now.
 */
export const noteCrash = (before: Crashes, sha256: string, now: number): CrashNoted => {
  const recent = before
    .map((crash) => ({ ...crash, at: Math.min(crash.at, now) }))
    .filter(({ at }) => now - at < crashLimits.windowMs)
  const crashes = [...recent, { sha256, at: now }].slice(-crashLimits.rememberedMax)
  const count = crashes.filter((crash) => crash.sha256 === sha256).length
  return { crashes, count, isCondemned: count >= crashLimits.crashesMax }
}
