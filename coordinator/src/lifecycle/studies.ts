/**
 * The studies of all models: the one under way is kept trial by trial, so that a killed training goes on after its
 * last finished trial; a finished one tells the next study of the same model where to begin.
 */

import { z } from 'zod'
import type { StateStore } from '../storage/states.ts'
import type { PastTrial, StudyState } from '../tuning/study-state.ts'

const room = 'studies'

/** Trials of the previous study that the next one is told: the best ones say where to look. */
const pastTrialsMax = 20

// Written and read by this program alone; what a study makes of it is checked by the study itself.
const keptSchema = z.object({ run: z.string(), state: z.custom<StudyState>((value) => value !== null) })

export interface Studies {
  /** What a run's study begins with. */
  readonly begin: (
    model: string,
    run: string,
  ) => Promise<{ readonly resume?: StudyState; readonly past?: readonly (readonly PastTrial[])[] }>
  /** Durable on return. */
  readonly keep: (model: string, run: string, state: StudyState) => Promise<void>
}

export const createStudies = (states: StateStore, now: () => number): Studies => ({
  begin: async (model, run) => {
    const kept = await states.load(room, model, keptSchema)
    if (kept === undefined) return {}
    return kept.run === run ? { resume: kept.state } : { past: [toPast(kept.state)] }
  },
  keep: (model, run, state) => states.save(room, model, { run, state }, now()),
})

const toPast = ({ trials }: StudyState): readonly PastTrial[] =>
  trials
    .flatMap(({ configuration, outcome }) =>
      outcome?.kind === 'done' ? [{ configuration, value: outcome.value }] : [],
    )
    .toSorted((a, b) => a.value - b.value)
    .slice(0, pastTrialsMax)
