/**
 * Writes DER, as far as a certificate signing request needs it: definite lengths in their shortest form.
 * Source: ITU-T X.690, "Distinguished encoding rules".
 */

import { invariant } from '@imlma/protocol/result'

export const derTags = {
  integer: 0x02,
  bitString: 0x03,
  null: 0x05,
  oid: 0x06,
  utf8String: 0x0c,
  sequence: 0x30,
  set: 0x31,
  /** `[0]`, constructed. */
  context0: 0xa0,
} as const

/** One element around its contents, at most 65,535 bytes. */
export const element = (tag: number, ...contents: readonly Uint8Array[]): Uint8Array => {
  const length = contents.reduce((sum, { byteLength }) => sum + byteLength, 0)
  invariant(length <= 0xffff, 'a signing request is small')
  const head = [tag, ...toLength(length)]
  const bytes = new Uint8Array(head.length + length)
  bytes.set(head)
  let offset = head.length
  for (const content of contents) {
    bytes.set(content, offset)
    offset += content.byteLength
  }
  return bytes
}

const toLength = (length: number): readonly number[] => {
  if (length < 0x80) return [length]
  return length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff]
}
