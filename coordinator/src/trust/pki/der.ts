/**
 * One element of DER after another: tag, length, content, as far as a certificate signing request needs it. Definite
 * lengths only, at most 65,535 bytes, in their shortest form; the signed bytes are handed out as they came, never re-encoded.
 * Source: ITU-T X.690, "Distinguished encoding rules".
 */

export interface Element {
  readonly tag: number
  readonly content: Uint8Array
  /** Tag and length included. */
  readonly whole: Uint8Array
  /** What follows it. */
  readonly rest: Uint8Array
}

export const derTags = { integer: 0x02, bitString: 0x03, sequence: 0x30 } as const

/** Undefined where the bytes do not begin with an intact element. */
export const readElement = (bytes: Uint8Array): Element | undefined => {
  const [tag, first] = bytes
  if (tag === undefined || first === undefined || (tag & 0x1f) === 0x1f) return undefined
  const lengthBytes = first < 0x80 ? 0 : first & 0x7f
  if (first === 0x80 || lengthBytes > 2) return undefined
  let length = first < 0x80 ? first : 0
  for (let index = 0; index < lengthBytes; index += 1) length = length * 256 + (bytes[2 + index] ?? NaN)
  const shortest = lengthBytes === 0 || length >= (lengthBytes === 1 ? 0x80 : 0x100)
  const start = 2 + lengthBytes
  if (!shortest || !(start + length <= bytes.byteLength)) return undefined
  return {
    tag,
    content: bytes.subarray(start, start + length),
    whole: bytes.subarray(0, start + length),
    rest: bytes.subarray(start + length),
  }
}

/** The elements inside a constructed one, in order; undefined where they do not fill it exactly, or are more than `countMax`. */
export const readElements = (content: Uint8Array, countMax = 16): readonly Element[] | undefined => {
  const elements: Element[] = []
  let rest = content
  while (rest.byteLength > 0) {
    const element = readElement(rest)
    if (element === undefined || elements.length === countMax) return undefined
    elements.push(element)
    rest = element.rest
  }
  return elements
}
