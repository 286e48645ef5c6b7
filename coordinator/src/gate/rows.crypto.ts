/** Names the rows of an evaluation, so that two models are compared on exactly the same ones or not at all. */

import { createHash } from 'node:crypto'

interface Rows {
  readonly rowMeters: readonly string[]
  /** UTC epoch ms. */
  readonly origins: Float64Array
  readonly actuals: Float32Array
}

/** SHA-256 over meter, origin and actual of every row, in order; the same on every little-endian machine. */
export const hashRows = ({ rowMeters, origins, actuals }: Rows): string => {
  const bytes = (values: Float64Array | Float32Array) =>
    new Uint8Array(values.buffer, values.byteOffset, values.byteLength)
  return createHash('sha256')
    .update(JSON.stringify(rowMeters))
    .update(bytes(origins))
    .update(bytes(actuals))
    .digest('hex')
}
