/** What could not be read: counted by code, with the latest example of each, and never more than that. */

export interface Reject {
  readonly code: string
  readonly count: number
  readonly message: string
  /** The beginning of the input. */
  readonly example: string
  readonly at: number
}

export interface Rejects {
  readonly add: (code: string, message: string, example: string, at: number) => void
  readonly list: () => readonly Reject[]
  readonly total: () => number
}

/** Characters of an example: enough to recognise the device that sent it. */
const exampleLengthMax = 200

/** Codes are ours and few; the bound is for the one that we forget. */
const codesMax = 32

export const createRejects = (): Rejects => {
  const byCode = new Map<string, Reject>()
  return {
    add: (code, message, example, at) => {
      const key = byCode.has(code) || byCode.size < codesMax ? code : 'OTHER'
      byCode.set(key, {
        code: key,
        count: (byCode.get(key)?.count ?? 0) + 1,
        message: message.slice(0, exampleLengthMax),
        example: printable(example.slice(0, exampleLengthMax)),
        at,
      })
    },
    list: () => [...byCode.values()],
    total: () => [...byCode.values()].reduce((sum, { count }) => sum + count, 0),
  }
}

/** Controls would garble the terminal of whoever reads the status. */
const printable = (text: string): string => text.replace(/[^\p{L}\p{N}\p{P}\p{S} ]/gu, '·')
