/** The normalisation of `normalisation.ts` as nodes of a graph: raw rows in, freed of level and scale out, and back. */
import type { GraphBuilder, Value } from './graph.ts'
import { scaleMin, scaleShareMin, type Normalisation } from './normalisation.ts'
import { absolute, add, divide, gatherColumns, maximum, multiply, subtract } from './operators.ts'

/** [batch, 1] each; null where the normalisation has none. */
export interface LevelAndScale {
  readonly level: Value | null
  readonly scale: Value | null
}

export interface NormalisedRows extends LevelAndScale {
  /** [batch, F]. */
  readonly row: Value
}

/** `features` [batch, F], raw. Once per graph: its constants have names. */
export const normaliseRows = (
  graph: GraphBuilder,
  features: Value,
  normalisation: Normalisation,
): NormalisedRows => {
  const { level, scale } = levelAndScale(graph, features, normalisation)
  const { levelMask, scaleMask } = normalisation
  const constant = (label: string, values: Float32Array): Value =>
    graph.constant(label, 'float32', [values.length], values)
  let row = features
  if (level !== null) row = subtract(graph, row, multiply(graph, level, constant('level_mask', levelMask)))
  if (scale !== null) {
    const rest = constant(
      'plain_mask',
      scaleMask.map((share) => 1 - share),
    )
    row = divide(graph, row, add(graph, multiply(graph, scale, constant('scale_mask', scaleMask)), rest))
  }
  return { row, level, scale }
}

/** `normalised` in the unit of the series again; level and scale must broadcast to it. The result is called `name`. */
export const denormalise = (
  graph: GraphBuilder,
  normalised: Value,
  { level, scale }: LevelAndScale,
  name: string,
): Value => {
  const scaled =
    scale === null ? normalised : multiply(graph, normalised, scale, level === null ? name : `scaled_${name}`)
  return level === null ? scaled : add(graph, scaled, level, name)
}

/** Without the rows. `prefix` keeps its constants apart from those of another call. */
export const levelAndScale = (
  graph: GraphBuilder,
  features: Value,
  { levelColumn, scaleColumn }: Normalisation,
  prefix = '',
): LevelAndScale => {
  const column = (label: string, index: number): Value =>
    gatherColumns(graph, features, graph.constant(`${prefix}${label}`, 'int64', [1], [index]))
  const scalar = (label: string, value: number): Value =>
    graph.constant(`${prefix}${label}`, 'float32', [1], [value])
  const level = levelColumn === null ? null : column('level_column', levelColumn)
  if (scaleColumn === null) return { level, scale: null }
  const spread = maximum(graph, column('scale_column', scaleColumn), scalar('scale_min', scaleMin))
  if (level === null) return { level, scale: spread }
  const share = multiply(graph, absolute(graph, level), scalar('scale_share_min', scaleShareMin))
  return { level, scale: maximum(graph, spread, share) }
}
