/** Mean and deviation of every column of normalised rows: what is left to standardise after level and scale are gone. */
import type { Examples } from './examples.ts'
import { standardiseRow, type LinearModel } from './linear-model.ts'
import { levelOf, scaleOf, type Normalisation } from './normalisation.ts'

/** Rounded to float32, because a graph's constants are. A constant column has the deviation 1. */
export const momentsOf = (
  count: number,
  normalisation: Normalisation,
  { features, rows }: Pick<Examples, 'features' | 'rows'>,
): Pick<LinearModel, 'means' | 'deviations'> => {
  const raw = {
    features: count,
    normalisation,
    means: new Float32Array(count),
    deviations: new Float32Array(count).fill(1),
  }
  const row = new Float64Array(count)
  const means = new Float64Array(count)
  const squares = new Float64Array(count)
  for (let i = 0; i < rows; i++) {
    const level = levelOf(normalisation, features, i * count)
    standardiseRow(
      raw,
      features,
      i * count,
      level,
      scaleOf(normalisation, features, i * count, level),
      row,
      0,
    )
    for (let column = 0; column < count; column++) {
      // Welford's update: columns far from zero keep the digits of their spread.
      const shift = (row[column] as number) - (means[column] as number)
      means[column] = (means[column] as number) + shift / (i + 1)
      squares[column] =
        (squares[column] as number) + shift * ((row[column] as number) - (means[column] as number))
    }
  }
  const deviations = Float32Array.from(squares, (sum, column) => {
    const deviation = Math.sqrt(sum / Math.max(1, rows))
    return deviation > 1e-7 * Math.abs(means[column] as number) && deviation > 1e-12 ? deviation : 1
  })
  return { means: Float32Array.from(means), deviations }
}
