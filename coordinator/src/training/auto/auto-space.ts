/**
 * One search space over learners, their parameters and the features they are told: `learner` and every axis of the
 * features choose, and a learner's own parameters (`trees.l2`) exist only where it was chosen.
 */

import { invariant } from '@imlma/protocol/result'
import type { Configuration, Parameter, SearchSpace } from '../../tuning/space.ts'
import { nameOf, type FeatureChoices } from '../feature-choices.ts'
import type { Learner } from '../learner.ts'

export interface Choice {
  readonly learner: string
  /** The name of the specs that were chosen. */
  readonly features: string
  /** Only what was searched; the learner's defaults fill the rest. */
  readonly parameters: Readonly<Record<string, unknown>>
}

type Axes = FeatureChoices['axes']

export const toAutoSpace = (learners: readonly Learner[], axes: Axes): SearchSpace => ({
  learner: { kind: 'categorical', choices: learners.map(({ name }) => name) },
  ...Object.fromEntries(
    Object.entries(axes).map(([axis, choices]) => [axis, { kind: 'categorical', choices } as const]),
  ),
  ...Object.fromEntries(
    learners.flatMap(({ name, space }) =>
      Object.entries(space).map(([parameter, range]) => [`${name}.${parameter}`, ofLearner(name, range)]),
    ),
  ),
})

const ofLearner = (learner: string, range: Parameter): Parameter => ({
  ...range,
  // A parameter that depends on another one of its learner exists only where that one does.
  when:
    range.when === undefined
      ? { parameter: 'learner', in: [learner] }
      : { ...range.when, parameter: `${learner}.${range.when.parameter}` },
})

export const toChoice = ({ learner, ...rest }: Configuration, axes: Axes): Choice => {
  invariant(typeof learner === 'string', 'a configuration names its learner')
  const prefix = `${learner}.`
  return {
    learner,
    features: nameOf(Object.keys(axes).map((axis) => String(rest[axis]))),
    parameters: Object.fromEntries(
      Object.entries(rest).flatMap(([name, value]) =>
        name.startsWith(prefix) ? [[name.slice(prefix.length), value]] : [],
      ),
    ),
  }
}

/** Every learner as it comes, on the first features: what the study has to beat, tried before anything else. */
export const defaultConfigurations = (learners: readonly Learner[], axes: Axes): readonly Configuration[] =>
  learners.map(({ name, space, parametersSchema }) => {
    const defaults = parametersSchema.parse({}) as Readonly<Record<string, unknown>>
    const own: Record<string, string | number | boolean> = {}
    for (const [parameter, range] of Object.entries(space)) {
      const { when } = range
      if (when !== undefined && !when.in.includes(own[when.parameter] as string)) continue
      own[parameter] = withinRange(range, defaults[parameter])
    }
    return {
      learner: name,
      ...Object.fromEntries(Object.entries(axes).map(([axis, [first]]) => [axis, first as string])),
      ...Object.fromEntries(Object.entries(own).map(([parameter, value]) => [`${name}.${parameter}`, value])),
    }
  })

const withinRange = (range: Parameter, value: unknown): string | number | boolean => {
  if (range.kind === 'categorical') {
    return range.choices.find((choice) => choice === value) ?? (range.choices[0] as string)
  }
  if (typeof value === 'number') return Math.min(range.high, Math.max(range.low, value))
  const middle = range.log ? Math.sqrt(range.low * range.high) : (range.low + range.high) / 2
  return range.kind === 'integer' ? Math.round(middle) : middle
}
