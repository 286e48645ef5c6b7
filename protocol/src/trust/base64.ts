/**
 * Bytes as base64 (RFC 4648, "Base 64 Encoding"), in its one canonical form: padded, no white space, and no bits set
 * that belong to no byte. Two spellings of the same signature would be two documents for whoever compares texts.
 */

import { z } from 'zod'

const canonical = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/][AQgw]==|[A-Za-z0-9+/]{2}[AEIMQUYcgkosw048]=)?$/

/** At most `lengthMax` characters; the length is looked at first. */
export const base64Schema = (lengthMax: number) =>
  z.string().max(lengthMax, { abort: true }).regex(canonical, 'not canonical base64')

export const toBase64 = (bytes: Uint8Array): string => {
  let binary = ''
  for (const byte of bytes) binary += String.fromCharCode(byte)
  return btoa(binary)
}

export const fromBase64 = (text: string): Uint8Array<ArrayBuffer> => {
  const binary = atob(text)
  const bytes = new Uint8Array(binary.length)
  // Thirty times faster than `Uint8Array.from` over the characters, and an assignment is opened several times.
  for (let offset = 0; offset < binary.length; offset += 1) bytes[offset] = binary.charCodeAt(offset)
  return bytes
}
