/** What `npm start` says at its end: the last line of its standard output, one JSON object. */

import type { Figures, Trigger } from './api.http.ts'

export interface Summary {
  readonly rounds: readonly {
    readonly version: number
    readonly trigger: Trigger
    readonly readings: number
    readonly rows: number
    readonly datasetSha256: string
    readonly learner: string
    readonly hyperParameters: Readonly<Record<string, unknown>>
    readonly window: { readonly start: number; readonly end: number }
    readonly champion: Figures & { readonly version: number | null; readonly learner: string }
    readonly challenger: Figures
    readonly verdict: 'promote' | 'reject' | 'inconclusive'
    readonly reasons: readonly string[]
    readonly updateDelayMs: Readonly<Record<string, number | null>>
  }[]
  readonly agents: readonly {
    readonly agent: string
    readonly presence: string
    readonly models: readonly {
      readonly model: string
      readonly version: number | null
      readonly phase: string
    }[]
  }[]
}

export const readSummary = (out: string): Summary =>
  JSON.parse(out.trimEnd().split('\n').at(-1) ?? '') as Summary

/** The version that serves after these rounds. */
export const championOf = ({ rounds }: Summary): number | null =>
  rounds.findLast(({ verdict }) => verdict === 'promote')?.version ?? null
