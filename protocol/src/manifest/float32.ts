/** Rows of float32 as base64 and back, little-endian on every machine. */

/** Base64 of the values, four bytes each, little-endian. */
export const encodeFloat32 = (values: Float32Array): string => {
  const view = new DataView(new ArrayBuffer(values.length * 4))
  values.forEach((value, index) => view.setFloat32(index * 4, value, true))
  let binary = ''
  for (let offset = 0; offset < view.byteLength; offset += 1) {
    binary += String.fromCharCode(view.getUint8(offset))
  }
  return btoa(binary)
}

/** The values again, or undefined where the text is no base64 of whole float32 values. */
export const decodeFloat32 = (text: string): Float32Array | undefined => {
  let binary: string
  try {
    binary = atob(text)
  } catch {
    return undefined
  }
  if (binary.length % 4 !== 0) return undefined
  const view = new DataView(new ArrayBuffer(binary.length))
  for (let offset = 0; offset < binary.length; offset += 1) view.setUint8(offset, binary.charCodeAt(offset))
  const values = new Float32Array(binary.length / 4)
  for (let index = 0; index < values.length; index += 1) values[index] = view.getFloat32(index * 4, true)
  return values
}
