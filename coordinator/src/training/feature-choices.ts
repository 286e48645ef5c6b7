/**
 * What a study may tell its models: feature specs along axes (how far back, which calendar, which response to a
 * covariate) that are chosen apart, so that what is learned of one axis serves for all choices of the others.
 */
import type { FeatureSpec } from '@imlma/protocol/features'

export interface FeatureChoices {
  /** By axis the names to choose from, the default first. */
  readonly axes: Readonly<Record<string, readonly string[]>>
  /** One for every choice on all axes, under `nameOf` of them; always the same object. */
  readonly specs: Readonly<Record<string, FeatureSpec>>
}

/** The name of the spec that these names, one an axis, choose. */
export const nameOf = (names: readonly string[]): string => names.join(', ')

/** Specs that have nothing in common but that one of them is chosen; the first is the default. */
export const choicesOf = (specs: Readonly<Record<string, FeatureSpec>>): FeatureChoices => ({
  axes: { features: Object.keys(specs) },
  specs,
})
