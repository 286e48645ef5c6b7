/** One range of bytes as a client asks for it. Source: RFC 9110, "Range Requests". */

import { accept, refuse, type Result } from '@imlma/protocol/result'

export interface ByteRange {
  readonly start: number
  /** Inclusive. */
  readonly end: number
}

/** Undefined where the whole is asked for, or several ranges, which may be answered with the whole. */
export const parseRange = (
  header: string | undefined,
  bytes: number,
): Result<ByteRange | undefined, 'RANGE_OUTSIDE'> => {
  const [, from = '', to = ''] = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(header ?? '') ?? []
  if (from === '' && to === '') return accept(undefined)
  // Without a beginning, it is the last so many bytes.
  const start = from === '' ? Math.max(0, bytes - Number(to)) : Number(from)
  const end = from === '' || to === '' ? bytes - 1 : Math.min(Number(to), bytes - 1)
  if (start <= end) return accept({ start, end })
  return from !== '' && to !== '' && Number(to) < Number(from)
    ? accept(undefined)
    : refuse('RANGE_OUTSIDE', `the artifact has ${bytes} bytes`)
}
