/**
 * Configurations as points for the surrogate: one axis a parameter, each in [0, 1]. Logarithms are taken here, integers
 * sit in the middle of equal cells, a categorical axis holds the index of its choice. A parameter that does not exist
 * has one fixed place on its axis, so that two configurations differ only in what they have.
 */
import { invariant } from '@imlma/protocol/result'
import type { Choice, Configuration, Parameter, SearchSpace } from './space.ts'

export interface Axis {
  readonly name: string
  readonly parameter: Parameter
  /** Places on the axis; infinite for floats. */
  readonly levels: number
  /** True where the distance between two different values is always 1. */
  readonly nominal: boolean
}

export interface Encoding {
  readonly axes: readonly Axis[]
  readonly nominal: Uint8Array
  encode(configuration: Configuration): Float64Array
  decode(point: Float64Array): Configuration
  /** The nearest point that a configuration has: integers in their cells, absent axes at their fixed place. */
  snap(point: Float64Array): Float64Array
  /** Which axes exist at a snapped point. */
  presentAt(point: Float64Array): readonly boolean[]
  /** The point of a place in the unit cube: categorical axes are cut into equal parts. */
  fromCube(cube: Float64Array): Float64Array
}

const absent = 0.5
const absentChoice = -1

/** What is wrong with a space; undefined where nothing is. */
export const objectionToSpace = (space: SearchSpace): string | undefined => {
  const seen = new Map<string, Parameter>()
  for (const [name, parameter] of Object.entries(space)) {
    if (parameter.kind === 'categorical') {
      if (parameter.choices.length === 0) return `${name} has no choices`
      if (new Set(parameter.choices).size < parameter.choices.length) return `${name} has a choice twice`
    } else {
      if (!(parameter.low <= parameter.high) || !Number.isFinite(parameter.high - parameter.low))
        return `${name} is no range`
      if (parameter.log === true && parameter.low <= 0) return `${name} is logarithmic and not above zero`
      if (
        parameter.kind === 'integer' &&
        !(Number.isSafeInteger(parameter.low) && Number.isSafeInteger(parameter.high))
      )
        return `${name} has ends that are no integers`
    }
    if (parameter.when !== undefined && !seen.has(parameter.when.parameter))
      return `${name} depends on ${parameter.when.parameter}, which does not stand before it`
    seen.set(name, parameter)
  }
  return seen.size === 0 ? 'a space needs a parameter' : undefined
}

const levelsOf = (parameter: Parameter): number =>
  parameter.kind === 'float'
    ? Infinity
    : parameter.kind === 'integer'
      ? parameter.high - parameter.low + 1
      : parameter.choices.length

/** Ends of the axis in the parameter's own (perhaps logarithmic) measure; integers have half a cell on either side. */
const endsOf = (parameter: Exclude<Parameter, { kind: 'categorical' }>): readonly [number, number] => {
  const margin = parameter.kind === 'integer' ? 0.5 : 0
  const [low, high] = [parameter.low - margin, parameter.high + margin]
  return parameter.log === true ? [Math.log(low), Math.log(high)] : [low, high]
}

const place = (parameter: Parameter, value: Choice): number => {
  if (parameter.kind === 'categorical') return parameter.choices.indexOf(value)
  const [low, high] = endsOf(parameter)
  const measure = parameter.log === true ? Math.log(value as number) : (value as number)
  return high > low ? Math.min(1, Math.max(0, (measure - low) / (high - low))) : absent
}

const valueAt = (parameter: Parameter, at: number): Choice => {
  if (parameter.kind === 'categorical') return parameter.choices[at]!
  const [low, high] = endsOf(parameter)
  const measure = low + (high - low) * at
  const value = parameter.log === true ? Math.exp(measure) : measure
  const whole = parameter.kind === 'integer' ? Math.round(value) : value
  return Math.min(parameter.high, Math.max(parameter.low, whole))
}

const fits = (parameter: Parameter, value: Choice): boolean =>
  parameter.kind === 'categorical'
    ? parameter.choices.includes(value)
    : typeof value === 'number' &&
      value >= parameter.low &&
      value <= parameter.high &&
      (parameter.kind === 'float' || Number.isInteger(value))

export const createEncoding = (space: SearchSpace): Encoding => {
  const objection = objectionToSpace(space)
  invariant(objection === undefined, `the search space can be searched: ${objection}`)
  const axes = Object.entries(space).map(([name, parameter]): Axis => ({
    name,
    parameter,
    levels: levelsOf(parameter),
    nominal: parameter.kind === 'categorical',
  }))
  const parents = axes.map(({ parameter: { when } }) =>
    axes.findIndex(({ name }) => name === when?.parameter),
  )

  const exists = (axis: Axis, parent: number, value: Choice | undefined): boolean =>
    parent < 0 || (value !== undefined && axis.parameter.when!.in.includes(value))

  const decode = (point: Float64Array): Configuration => {
    const values: (Choice | undefined)[] = []
    for (const [i, axis] of axes.entries()) {
      const parent = parents[i]!
      const isHere = exists(axis, parent, values[parent])
      // A nominal place that another branch left at "absent" becomes the first choice.
      const at = axis.nominal ? Math.max(0, point[i]!) : point[i]!
      values.push(isHere ? valueAt(axis.parameter, at) : undefined)
    }
    return Object.fromEntries(
      axes.flatMap(({ name }, i) => (values[i] === undefined ? [] : [[name, values[i]]])),
    )
  }

  const encode = (configuration: Configuration): Float64Array =>
    Float64Array.from(axes, ({ name, parameter, nominal }) => {
      const value = configuration[name]
      if (value === undefined) return nominal ? absentChoice : absent
      return place(parameter, value)
    })

  return {
    axes,
    nominal: Uint8Array.from(axes, ({ nominal }) => Number(nominal)),
    encode,
    decode,
    snap: (point) => encode(decode(point)),
    presentAt: (point) => {
      const configuration = decode(point)
      return axes.map(({ name }) => configuration[name] !== undefined)
    },
    fromCube: (cube) =>
      encode(
        decode(
          cube.map((at, i) =>
            axes[i]!.nominal ? Math.min(axes[i]!.levels - 1, Math.floor(at * axes[i]!.levels)) : at,
          ),
        ),
      ),
  }
}

/** Why a configuration is no point of a space; undefined where it is one. */
export const objectionToConfiguration = (
  space: SearchSpace,
  configuration: Configuration,
): string | undefined => {
  for (const name of Object.keys(configuration))
    if (!Object.hasOwn(space, name)) return `${name} is no parameter`
  for (const [name, parameter] of Object.entries(space)) {
    const { when } = parameter
    const parent = when === undefined ? undefined : configuration[when.parameter]
    const isHere = when === undefined || (parent !== undefined && when.in.includes(parent))
    const value = configuration[name]
    if (!isHere && value !== undefined) return `${name} does not exist there`
    if (isHere && value === undefined) return `${name} is missing`
    if (value !== undefined && !fits(parameter, value)) return `${name} is outside its range`
  }
  return undefined
}
