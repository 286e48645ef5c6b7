/**
 * The sums a linear learner needs of its rows, and nothing else of them: A·Aᵀ of A = [1 | standardised features]
 * with itself and with the normalised targets. Sums of two parts add up to the sums of both.
 */

/** The heavy product, done where it is fastest: aᵀ·b for a (rows × left) and b (rows × right), row-major. */
export interface MatrixProducts {
  transposedProduct(a: Float64Array, b: Float64Array, rows: number): Promise<Float64Array>
}

export interface GramSums {
  readonly rows: number
  /** Columns with the leading constant: F + 1. */
  readonly size: number
  readonly horizon: number
  /** size × size. */
  readonly gram: Float64Array
  /** size × horizon. */
  readonly moments: Float64Array
  /** Per step: Σ y². */
  readonly targetSquares: Float64Array
}

export const emptyGram = (size: number, horizon: number): GramSums => ({
  rows: 0,
  size,
  horizon,
  gram: new Float64Array(size * size),
  moments: new Float64Array(size * horizon),
  targetSquares: new Float64Array(horizon),
})

export const addGrams = (a: GramSums, b: GramSums): GramSums => ({
  ...a,
  rows: a.rows + b.rows,
  gram: a.gram.map((value, i) => value + (b.gram[i] as number)),
  moments: a.moments.map((value, i) => value + (b.moments[i] as number)),
  targetSquares: a.targetSquares.map((value, i) => value + (b.targetSquares[i] as number)),
})

/** Adds the product of [1 | z]ᵀ · [1 | z | y] (size × (size + horizon)) into the sums. */
export const addProduct = (
  sums: GramSums,
  product: Float64Array,
  targets: Float64Array,
  rows: number,
): GramSums => {
  const { size, horizon, gram, moments, targetSquares } = sums
  const width = size + horizon
  for (let i = 0; i < size; i++) {
    for (let j = 0; j < size; j++)
      gram[i * size + j] = (gram[i * size + j] as number) + (product[i * width + j] as number)
    for (let h = 0; h < horizon; h++) {
      moments[i * horizon + h] =
        (moments[i * horizon + h] as number) + (product[i * width + size + h] as number)
    }
  }
  for (let i = 0; i < rows * horizon; i++) {
    const target = targets[i] as number
    targetSquares[i % horizon] = (targetSquares[i % horizon] as number) + target * target
  }
  return { ...sums, rows: sums.rows + rows }
}
