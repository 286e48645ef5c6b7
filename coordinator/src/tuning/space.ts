/** What may be tuned: named parameters with their ranges, some of them only where another one has a certain value. */

/** A parameter exists only where `parameter` (itself present) has one of these values. */
export interface Condition {
  readonly parameter: string
  readonly in: readonly Choice[]
}

export type Choice = string | number | boolean

export type Parameter = (
  | { readonly kind: 'float'; readonly low: number; readonly high: number; readonly log?: boolean }
  /** Both ends are included. */
  | { readonly kind: 'integer'; readonly low: number; readonly high: number; readonly log?: boolean }
  | { readonly kind: 'categorical'; readonly choices: readonly Choice[] }
) & { readonly when?: Condition }

/** A parameter that a condition names stands before those that depend on it. */
export type SearchSpace = Readonly<Record<string, Parameter>>

/** One point of a space: exactly the parameters that exist there. */
export type Configuration = Readonly<Record<string, Choice>>
