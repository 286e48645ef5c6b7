/** Bytes that come in pieces as lines of text; a line that never ends is given up and told. */

export interface Lines {
  /** Complete lines of what came so far, without their ends, and the bytes that they and their ends took. */
  readonly push: (bytes: Uint8Array) => readonly Line[]
  /** What follows the last line end. */
  readonly rest: () => Line | undefined
}

export interface Line {
  /** undefined for a line that is longer than allowed, or no UTF-8. */
  readonly text: string | undefined
  readonly bytes: number
}

const lineBytesMax = 1_048_576

export const createLines = (bytesMax: number = lineBytesMax): Lines => {
  const utf8 = new TextDecoder('utf-8', { fatal: true })
  let parts: Uint8Array[] = []
  let held = 0
  /** Bytes of the line that are thrown away already. */
  let skipped = 0

  const take = (end: number): Line => {
    const bytes = held + skipped + end
    const text = skipped > 0 ? undefined : decode(utf8, parts, held)
    parts = []
    held = 0
    skipped = 0
    return { text, bytes }
  }

  const hold = (part: Uint8Array): void => {
    if (skipped > 0 || held + part.length > bytesMax) {
      skipped += held + part.length
      parts = []
      held = 0
      return
    }
    if (part.length > 0) parts.push(part)
    held += part.length
  }

  return {
    push: (bytes) => {
      const lines: Line[] = []
      let from = 0
      for (let to = bytes.indexOf(newLine); to >= 0; to = bytes.indexOf(newLine, from)) {
        hold(bytes.subarray(from, to))
        lines.push(take(1))
        from = to + 1
      }
      // A copy: the caller's buffer is used again.
      hold(bytes.slice(from))
      return lines
    },
    rest: () => (held + skipped === 0 ? undefined : take(0)),
  }
}

const newLine = 10

const decode = (
  utf8: InstanceType<typeof TextDecoder>,
  parts: readonly Uint8Array[],
  bytes: number,
): string | undefined => {
  const whole = new Uint8Array(bytes)
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  try {
    return utf8.decode(whole).replace(/\r$/, '')
  } catch {
    return undefined
  }
}
