/**
 * What is worth an alarm about the store of readings: once when readings cannot be stored, once when the quota begins to
 * cost readings, and again only after it was well in between.
 */

export interface Trouble {
  /** Code of the failure that holds; null while readings are stored. */
  readonly failing: string | null
  readonly isDropping: boolean
  /** Readings dropped when it was last looked at. */
  readonly dropped: number
}

export type StoreEvent =
  | { readonly kind: 'failed'; readonly code: string }
  | { readonly kind: 'stored'; readonly bytes: number; readonly bytesMax: number; readonly dropped: number }

export interface TroubleAlarm {
  readonly code: string
  readonly detail: string
}

/** Share of the quota below which dropping has ended. */
const easedShare = 0.8

export const noTrouble = (dropped: number): Trouble => ({ failing: null, isDropping: false, dropped })

/** `healed`: the code of a failure that holds no more. */
export const stepTrouble = (
  trouble: Trouble,
  event: StoreEvent,
): { readonly trouble: Trouble; readonly alarm?: TroubleAlarm; readonly healed?: string } => {
  if (event.kind === 'failed') {
    if (trouble.failing === event.code) return { trouble }
    const detail = 'readings cannot be stored; the sources wait, and what was stored is still there'
    return { trouble: { ...trouble, failing: event.code }, alarm: { code: event.code, detail } }
  }
  const { bytes, bytesMax, dropped } = event
  const drops = dropped > trouble.dropped
  const isDropping = drops || (trouble.isDropping && bytes > bytesMax * easedShare)
  return {
    trouble: { failing: null, isDropping, dropped },
    ...(trouble.failing !== null && { healed: trouble.failing }),
    ...(drops &&
      !trouble.isDropping && {
        alarm: { code: 'QUOTA_REACHED', detail: 'the oldest readings of the lowest class are dropped' },
      }),
  }
}
