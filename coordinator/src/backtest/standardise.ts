/** A column in units of its own spread, known from the training rows alone. */

/** By mean and population standard deviation of the rows `from` (included) to `to`; a flat column is only shifted. */
export const standardised = (
  values: Float32Array,
  { from, to }: { readonly from: number; readonly to: number },
): Float32Array => {
  const known = values.subarray(from, to).filter((value) => !Number.isNaN(value))
  let sum = 0
  for (const value of known) sum += value
  const mean = sum / known.length
  let squares = 0
  for (const value of known) squares += (value - mean) ** 2
  const deviation = Math.sqrt(squares / known.length) || 1
  return values.map((value) => (value - mean) / deviation)
}
