/**
 * Matérn 5/2 with a length scale an axis (automatic relevance determination). Squared distances of all pairs are kept, so
 * that a fit pays for them once; nominal axes are 0 or 1 apart. Observations of different studies are correlated by one
 * factor (intrinsic coregionalisation), which the fit learns: how much the past says about today.
 */

const root5 = Math.sqrt(5)

/** Correlation at a scaled squared distance. */
export const matern = (squared: number): number => {
  const far = root5 * Math.sqrt(squared)
  return (1 + far + (5 / 3) * squared) * Math.exp(-far)
}

/** −2 × its derivative by the squared distance: (5/3)(1 + √5 r)·e^(−√5 r). */
export const maternSlope = (squared: number): number => {
  const far = root5 * Math.sqrt(squared)
  return (5 / 3) * (1 + far) * Math.exp(-far)
}

/** Observed points, rows × axes, and which study each row is from (0 is the present one). */
export interface Observed {
  readonly points: Float64Array
  readonly rows: number
  readonly axes: number
  readonly nominal: Uint8Array
  readonly study: Uint16Array
}

export const observe = (
  points: readonly Float64Array[],
  nominal: Uint8Array,
  study: readonly number[] = [],
): Observed => {
  const axes = nominal.length
  const flat = new Float64Array(points.length * axes)
  for (const [row, point] of points.entries()) flat.set(point, row * axes)
  return {
    points: flat,
    rows: points.length,
    axes,
    nominal,
    study: Uint16Array.from(points, (_, i) => study[i] ?? 0),
  }
}

/** Squared differences of every pair i > j, pairs × axes, in the order (1,0), (2,0), (2,1) … */
export const pairDifferences = ({ points, rows, axes, nominal }: Observed): Float64Array => {
  const squares = new Float64Array(((rows * (rows - 1)) / 2) * axes)
  let at = 0
  for (let i = 1; i < rows; i++)
    for (let j = 0; j < i; j++)
      for (let d = 0; d < axes; d++) {
        const apart = points[i * axes + d]! - points[j * axes + d]!
        squares[at++] = nominal[d] === 1 ? Number(apart !== 0) : apart * apart
      }
  return squares
}
