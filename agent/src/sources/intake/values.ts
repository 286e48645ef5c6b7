/**
 * What an input's value means: the register that it becomes, its units, and how raw samples become readings of an
 * interval. One entry a register; every kind of source has the same entries beside where it finds the value.
 */

import { z } from 'zod'
import { limits } from '@imlma/protocol/limits'
import { conversion, energyUnitOf } from './units.ts'

/**
 * `none`: the value is a reading of its interval already. The others make one of many samples; `difference` is that of a
 * counter between the ends of the interval, `energy` the mean power times the interval.
 */
const aggregates = ['none', 'mean', 'energy', 'sum', 'min', 'max', 'last', 'difference'] as const

const unit = z.string().min(1).max(16)

export const valueFields = {
  /** OBIS code or declared name under which readings are kept. */
  register: z.string().min(1).max(limits.nameLengthMax),
  /** Unit in which the input writes the value, and the one in which it is kept; the same where only one is given. */
  unit: unit.exactOptional(),
  to: unit.exactOptional(),
  /** A factor before units are converted: what a transformer's ratio or a register's scaling asks for. */
  scale: z.number().default(1),
  aggregate: z.enum(aggregates).default('none'),
  /** Milliseconds of the interval that readings are kept in; a quarter of an hour is what grids settle. */
  intervalMs: z.int().min(limits.intervalMsMin).max(limits.intervalMsMax).default(900_000),
  /** Milliseconds between two samples as they are expected: the share that came decides the quality. */
  sampleEveryMs: z.int().min(100).max(limits.intervalMsMax).exactOptional(),
  /** Value at which a counter begins again at 0; without it a counter that falls was replaced. */
  counterMax: z.number().positive().exactOptional(),
  /** Milliseconds that an interval stays open after its end for samples that are late; radio meters need minutes. */
  graceMs: z.int().min(0).max(86_400_000).default(10_000),
}

export const valueSchema = z.strictObject(valueFields)
export type ValueMapping = z.infer<typeof valueSchema>

/** What is wrong with entries that fit the schema, as a sentence; undefined where nothing is. */
export const objectionTo = (values: readonly ValueMapping[]): string | undefined => {
  const keys = values.map(({ register, intervalMs }) => `${register} every ${intervalMs} ms`)
  const twice = keys.find((key, i) => keys.indexOf(key) !== i)
  if (twice !== undefined) return `${twice} is made of two values`
  for (const value of values) {
    const { register, unit: from, to, aggregate, sampleEveryMs, intervalMs } = value
    const kept = aggregate === 'energy' && from !== undefined ? energyUnitOf(from) : from
    if (aggregate === 'energy' && kept === undefined) return `${register}: energy is made of a unit of power`
    if (kept !== undefined && to !== undefined && conversion(kept, to) === undefined) {
      return `${register}: ${kept} does not become ${to}`
    }
    if (sampleEveryMs !== undefined && sampleEveryMs > intervalMs && aggregate !== 'difference') {
      return `${register}: samples come more rarely than intervals end`
    }
  }
  return undefined
}

/** The unit in which a value is kept; undefined where nobody said. */
export const keptUnitOf = ({ unit: from, to, aggregate }: Pick<ValueMapping, 'unit' | 'to' | 'aggregate'>) =>
  to ?? (aggregate === 'energy' && from !== undefined ? energyUnitOf(from) : from)

/** Values as they are kept, of a value as it came. */
export const factorOf = ({ unit: from, to, scale, aggregate }: ValueMapping): number => {
  const kept = aggregate === 'energy' && from !== undefined ? energyUnitOf(from) : from
  return scale * (kept === undefined || to === undefined ? 1 : (conversion(kept, to) ?? 1))
}
