/**
 * The lower factor of a growing covariance matrix: one more point costs n² instead of n³, because fantasies and lies are
 * added one at a time. Row-major n × n with a stride, in double precision.
 */

/** Rows 0 … n − 1 of L with L·Lᵀ = a; undefined where `a` is not positive definite to working precision. */
export const factorise = (a: Float64Array, n: number): Float64Array | undefined => {
  const factor = new Float64Array(n * n)
  for (let i = 0; i < n; i++) {
    const rowI = i * n
    for (let j = 0; j < i; j++) {
      const rowJ = j * n
      let sum = a[rowI + j]!
      for (let k = 0; k < j; k++) sum -= factor[rowI + k]! * factor[rowJ + k]!
      factor[rowI + j] = sum / factor[rowJ + j]!
    }
    let pivot = a[rowI + i]!
    for (let k = 0; k < i; k++) pivot -= factor[rowI + k]! * factor[rowI + k]!
    if (!(pivot > 0)) return undefined
    factor[rowI + i] = Math.sqrt(pivot)
  }
  return factor
}

/** L of the matrix with one more row and column: `row` holds its n covariances, `diagonal` its own variance. */
export const appendRow = (
  factor: Float64Array,
  n: number,
  row: Float64Array,
  diagonal: number,
): Float64Array | undefined => {
  const size = n + 1
  const grown = new Float64Array(size * size)
  for (let i = 0; i < n; i++) grown.set(factor.subarray(i * n, i * n + i + 1), i * size)
  const last = row.slice(0, n)
  solveLower(factor, n, last)
  let pivot = diagonal
  for (let k = 0; k < n; k++) pivot -= last[k]! * last[k]!
  if (!(pivot > 0)) return undefined
  grown.set(last, n * size)
  grown[n * size + n] = Math.sqrt(pivot)
  return grown
}

/** Solves L·x = b in place. */
export const solveLower = (factor: Float64Array, n: number, b: Float64Array): void => {
  for (let i = 0; i < n; i++) {
    const row = i * n
    let sum = b[i]!
    for (let k = 0; k < i; k++) sum -= factor[row + k]! * b[k]!
    b[i] = sum / factor[row + i]!
  }
}

/** Solves Lᵀ·x = b in place. */
export const solveUpper = (factor: Float64Array, n: number, b: Float64Array): void => {
  for (let i = n - 1; i >= 0; i--) {
    const row = i * n
    const value = b[i]! / factor[row + i]!
    b[i] = value
    for (let k = 0; k < i; k++) b[k] = b[k]! - factor[row + k]! * value
  }
}

/** L⁻¹, lower triangular, row-major. */
export const invertLower = (factor: Float64Array, n: number): Float64Array => {
  const inverse = new Float64Array(n * n)
  for (let i = 0; i < n; i++) {
    const row = i * n
    const scale = 1 / factor[row + i]!
    for (let k = 0; k < i; k++) {
      const times = -factor[row + k]! * scale
      const other = k * n
      for (let j = 0; j <= k; j++) inverse[row + j] = inverse[row + j]! + times * inverse[other + j]!
    }
    inverse[row + i] = scale
  }
  return inverse
}

/** The lower triangle of L⁻ᵀ·L⁻¹, given L⁻¹: the inverse of the factored matrix. */
export const inverseOf = (inverseLower: Float64Array, n: number): Float64Array => {
  const inverse = new Float64Array(n * n)
  for (let k = 0; k < n; k++) {
    const row = k * n
    for (let i = 0; i <= k; i++) {
      const times = inverseLower[row + i]!
      const to = i * n
      for (let j = 0; j <= i; j++) inverse[to + j] = inverse[to + j]! + times * inverseLower[row + j]!
    }
  }
  return inverse
}
