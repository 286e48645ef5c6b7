/** One feature spec that holds the columns of several: what a model that looks at all of them is told. */
import { createFeatureBuilder, featureSpecSchema, type FeatureSpec } from '@imlma/protocol/features'

type Term = FeatureSpec['shared'][number] | FeatureSpec['step'][number]

/**
 * Undefined where they cannot be one: different series, or more than the limits allow. Columns have the same names
 * and meanings as in the specs they come from.
 */
export const unionSpec = (specs: readonly FeatureSpec[]): FeatureSpec | undefined => {
  const [first] = specs
  if (first === undefined) return undefined
  if (specs.every((spec) => spec === first)) return first
  const alike = specs.every(
    ({ intervalMs, horizon, seasonSteps }) =>
      intervalMs === first.intervalMs && horizon === first.horizon && seasonSteps === first.seasonSteps,
  )
  if (!alike) return undefined
  const lags = [
    ...new Set(
      specs.flatMap(({ shared }) => shared.flatMap((term) => (term.kind === 'lags' ? term.lags : []))),
    ),
  ].toSorted((a, b) => a - b)
  const rest = specs.flatMap(({ shared }) => shared.filter(({ kind }) => kind !== 'lags'))
  const united = featureSpecSchema.safeParse({
    ...first,
    missingMax: Math.max(...specs.map(({ missingMax }) => missingMax)),
    shared: [...(lags.length === 0 ? [] : [{ kind: 'lags', lags }]), ...distinct(rest.flatMap(inParts))],
    step: distinct(specs.flatMap(({ step }) => step).flatMap(inParts)),
  })
  if (!united.success) return undefined
  const known = new Set(createFeatureBuilder(united.data).names)
  return specs.every((spec) => createFeatureBuilder(spec).names.every((name) => known.has(name)))
    ? united.data
    : undefined
}

/** Terms of several columns apart, so that what two specs share is told once. */
const inParts = (term: Term): readonly Term[] => {
  if (term.kind === 'calendar') return term.parts.map((part) => ({ ...term, parts: [part] }))
  if (term.kind === 'statistics') return term.of.map((figure) => ({ ...term, of: [figure] }))
  return [term]
}

const distinct = (terms: readonly Term[]): readonly Term[] => [
  ...new Map(terms.map((term) => [JSON.stringify(term), term])).values(),
]
