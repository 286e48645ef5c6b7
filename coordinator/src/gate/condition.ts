/** The form of one condition of the gate, and of what it finds. */

import type { Check } from '../registry/events.ts'
import type { Comparison } from './comparison.ts'
import type { Contest } from './evaluation.ts'
import type { GateOptions } from './options.ts'

export type Refusal = 'reject' | 'inconclusive'

/** What a condition found; `otherwise` where the numbers decide whether a failure is a no or not yet. */
export type Finding = Omit<Check, 'name'> & { readonly otherwise?: Refusal }

export interface Question {
  readonly contest: Contest
  readonly options: GateOptions
  /** Undefined where the two were not judged on the same rows or a loss is no number. */
  readonly comparison: Comparison | undefined
}

export interface GateCheck {
  readonly name: string
  /** Verdict when this is the first check that fails and the finding does not say. */
  readonly otherwise: Refusal
  /** Undefined where the contest holds nothing to look at. */
  readonly look: (question: Question) => Finding | undefined
}

/** NaN and infinity have no place in a record. */
export const finiteOrNull = (value: number | null): number | null =>
  value !== null && Number.isFinite(value) ? value : null

/** Longest text that a record takes. */
const detailLengthMax = 500

export const finding = (
  passed: boolean,
  champion: number | null,
  challenger: number | null,
  detail: string,
  numbers?: Readonly<Record<string, number | null>>,
): Finding => ({
  passed,
  champion: finiteOrNull(champion),
  challenger: finiteOrNull(challenger),
  detail: detail.slice(0, detailLengthMax),
  ...(numbers === undefined
    ? {}
    : {
        numbers: Object.fromEntries(
          Object.entries(numbers).map(([name, value]) => [name, finiteOrNull(value)]),
        ),
      }),
})

export const figure = (value: number | null): string =>
  value === null ? 'none' : String(Number(value.toPrecision(5)))

export const percent = (share: number): string => `${Number((share * 100).toPrecision(3))} %`
