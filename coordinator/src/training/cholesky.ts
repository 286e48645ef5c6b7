/** Cholesky factor and triangular solves for dense symmetric systems, row-major, in double precision. */
import { invariant } from '@imlma/protocol/result'

/** The lower factor L with L·Lᵀ = a (n × n, only its lower triangle is read). Cost n³/3. */
export const choleskyOf = (a: Float64Array, n: number): Float64Array => {
  const factor = new Float64Array(n * n)
  // Four rows and two columns at a time: eight sums that do not wait for each other share what is read.
  for (let first = 0; first < n; first += 4) {
    const last = Math.min(n, first + 4)
    const finished = last === first + 4 ? first : 0
    for (let j = 0; j < finished; j += 2) reduceBlock(factor, a, first, j, n)
    for (let i = first; i < last; i++) reduceRow(factor, a, i, finished, n)
  }
  return factor
}

/** Entries (i … i + 3, j … j + 1) of the factor, from finished rows and what stands left of them. */
const reduceBlock = (factor: Float64Array, a: Float64Array, i: number, j: number, n: number): void => {
  const row = (at: number): Float64Array => factor.subarray(at * n, (at + 1) * n)
  const r0 = row(i)
  const r1 = row(i + 1)
  const r2 = row(i + 2)
  const r3 = row(i + 3)
  const left = row(j)
  const right = row(j + 1)
  const at = i * n + j
  let s0 = a[at] as number
  let t0 = a[at + 1] as number
  let s1 = a[at + n] as number
  let t1 = a[at + n + 1] as number
  let s2 = a[at + 2 * n] as number
  let t2 = a[at + 2 * n + 1] as number
  let s3 = a[at + 3 * n] as number
  let t3 = a[at + 3 * n + 1] as number
  for (let k = 0; k < j; k++) {
    const s = left[k] as number
    const t = right[k] as number
    const v0 = r0[k] as number
    const v1 = r1[k] as number
    const v2 = r2[k] as number
    const v3 = r3[k] as number
    s0 -= v0 * s
    t0 -= v0 * t
    s1 -= v1 * s
    t1 -= v1 * t
    s2 -= v2 * s
    t2 -= v2 * t
    s3 -= v3 * s
    t3 -= v3 * t
  }
  const own = left[j] as number
  const below = right[j] as number
  const next = right[j + 1] as number
  r0[j] = s0 / own
  r1[j] = s1 / own
  r2[j] = s2 / own
  r3[j] = s3 / own
  r0[j + 1] = (t0 - r0[j] * below) / next
  r1[j + 1] = (t1 - r1[j] * below) / next
  r2[j + 1] = (t2 - r2[j] * below) / next
  r3[j + 1] = (t3 - r3[j] * below) / next
}

/** The rest of row i, from column `from` on. */
const reduceRow = (factor: Float64Array, a: Float64Array, i: number, from: number, n: number): void => {
  const rowI = i * n
  for (let j = from; j <= i; j++) {
    const rowJ = j * n
    let sum = a[rowI + j] as number
    for (let k = 0; k < j; k++) sum -= (factor[rowI + k] as number) * (factor[rowJ + k] as number)
    if (i === j) {
      invariant(sum > 0, 'the matrix is positive definite')
      factor[rowI + i] = Math.sqrt(sum)
    } else factor[rowI + j] = sum / (factor[rowJ + j] as number)
  }
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
