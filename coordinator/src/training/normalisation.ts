/**
 * How a row is freed of its meter's level and scale before a linear map sees it, so that one model fits meters of
 * any size: `(x − level) / scale` for columns that follow the series, and back for the forecast. Level and scale
 * are read from columns of the row itself, so that the ONNX graph can do the same.
 */
import type { FeatureBuilder } from '@imlma/protocol/features'
import { Failure } from '@imlma/protocol/result'
import { z } from 'zod'

export const normalisationSchema = z.object({
  /** `last`: the latest value, as NLinear; `mean`: the first mean of the spec. */
  level: z.enum(['none', 'last', 'mean']),
  /** `deviation`: the first standard deviation of the spec. */
  scale: z.enum(['none', 'deviation']),
})

export type NormalisationChoice = z.infer<typeof normalisationSchema>

export interface Normalisation {
  readonly levelColumn: number | null
  readonly scaleColumn: number | null
  /** Per column 1 where the level is subtracted, 0 elsewhere; likewise where it is divided by the scale. */
  readonly levelMask: Float32Array
  readonly scaleMask: Float32Array
}

/** A flat context still has a scale: this share of its level, or this many units. */
export const scaleShareMin = 1e-3
export const scaleMin = 1e-6

/** By mean and deviation where the features hold both, else by the last value where they hold that, else none. */
export const usualNormalisation = ({ names }: Pick<FeatureBuilder, 'names'>): NormalisationChoice => {
  const held = ['mean of ', 'deviation of '].every((start) => names.some((name) => name.startsWith(start)))
  if (held) return { level: 'mean', scale: 'deviation' }
  return { level: names.includes('lag 1') ? 'last' : 'none', scale: 'none' }
}

/** Throws `Failure` FEATURES_MISSING. */
export const planNormalisation = (
  { names, roles }: Pick<FeatureBuilder, 'names' | 'roles'>,
  { level, scale }: NormalisationChoice,
): Normalisation => {
  const columnOf = (wanted: string, matches: (name: string) => boolean): number => {
    const column = names.findIndex(matches)
    if (column >= 0) return column
    throw new Failure('FEATURES_MISSING', `the features hold no column to normalise by the ${wanted}`, {
      hint: 'leave the normalisation out, or give the features lag 1, a mean or a deviation',
    })
  }
  const levelName = level === 'last' ? 'lag 1' : 'mean of '
  const levelColumn =
    level === 'none'
      ? null
      : columnOf(level === 'last' ? 'last value' : level, (name) =>
          level === 'last' ? name === levelName : name.startsWith(levelName),
        )
  const scaleColumn = scale === 'none' ? null : columnOf(scale, (name) => name.startsWith('deviation of '))
  return {
    levelColumn,
    scaleColumn,
    levelMask: Float32Array.from(roles, (role) => (levelColumn !== null && role === 'level' ? 1 : 0)),
    scaleMask: Float32Array.from(roles, (role) => (scaleColumn !== null && role !== 'plain' ? 1 : 0)),
  }
}

/** The level of the row that starts at `offset`. */
export const levelOf = ({ levelColumn }: Normalisation, features: Float32Array, offset: number): number =>
  levelColumn === null ? 0 : (features[offset + levelColumn] as number)

export const scaleOf = (
  { scaleColumn }: Normalisation,
  features: Float32Array,
  offset: number,
  level: number,
): number =>
  scaleColumn === null
    ? 1
    : Math.max(features[offset + scaleColumn] as number, scaleShareMin * Math.abs(level), scaleMin)
