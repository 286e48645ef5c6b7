/**
 * One byte string for one value, so that a hash over a document means its content.
 * Source: RFC 8785 (JSON Canonicalization Scheme): keys sorted by UTF-16 code units, ECMAScript number format.
 */

/** The canonical JSON text. Throws on what JSON cannot say: undefined, functions, NaN and infinities. */
export const canonicalJson = (value: unknown): string => {
  if (value === null || typeof value === 'boolean' || typeof value === 'string') return JSON.stringify(value)
  if (typeof value === 'number' && Number.isFinite(value)) return JSON.stringify(value)
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`
  if (typeof value === 'object') {
    const members = Object.entries(value)
      .filter(([, member]) => member !== undefined)
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, member]) => `${JSON.stringify(name)}:${canonicalJson(member)}`)
    return `{${members.join(',')}}`
  }
  throw new TypeError(`canonical JSON has no form for a ${typeof value}`)
}
