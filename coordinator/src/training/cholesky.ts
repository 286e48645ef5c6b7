/** Cholesky factor and triangular solves for dense symmetric systems, row-major, in double precision. */
import { invariant } from '@imlma/protocol/result'

/** The lower factor L with L·Lᵀ = a (n × n, only its lower triangle is read). Cost n³/3. */
export const choleskyOf = (a: Float64Array, n: number): Float64Array => {
  const factor = new Float64Array(n * n)
  for (let i = 0; i < n; i++) {
    const rowI = i * n
    for (let j = 0; j <= i; j++) {
      const rowJ = j * n
      let sum = a[rowI + j] as number
      for (let k = 0; k < j; k++) sum -= (factor[rowI + k] as number) * (factor[rowJ + k] as number)
      if (i === j) {
        invariant(sum > 0, 'the matrix is positive definite')
        factor[rowI + i] = Math.sqrt(sum)
      } else factor[rowI + j] = sum / (factor[rowJ + j] as number)
    }
  }
  return factor
}

/** Solves L·X = B in place; B is n × m. */
export const solveLower = (factor: Float64Array, n: number, b: Float64Array, m: number): void => {
  for (let i = 0; i < n; i++) {
    for (let k = 0; k < i; k++) subtractRow(b, i, k, factor[i * n + k] as number, m)
    scaleRow(b, i, 1 / (factor[i * n + i] as number), m)
  }
}

/** Solves Lᵀ·X = B in place; B is n × m. */
export const solveUpper = (factor: Float64Array, n: number, b: Float64Array, m: number): void => {
  for (let i = n - 1; i >= 0; i--) {
    for (let k = i + 1; k < n; k++) subtractRow(b, i, k, factor[k * n + i] as number, m)
    scaleRow(b, i, 1 / (factor[i * n + i] as number), m)
  }
}

/** Row i minus `times` row k. */
const subtractRow = (b: Float64Array, i: number, k: number, times: number, m: number): void => {
  if (times === 0) return
  const to = i * m
  const from = k * m
  for (let j = 0; j < m; j++) b[to + j] = (b[to + j] as number) - times * (b[from + j] as number)
}

const scaleRow = (b: Float64Array, i: number, by: number, m: number): void => {
  for (let j = i * m; j < (i + 1) * m; j++) b[j] = (b[j] as number) * by
}
