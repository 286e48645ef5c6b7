/**
 * How many alarms of one kind are raised: so many within a while, then only how many more there were. Whoever can send
 * an agent forged messages must not make it bury the alarms that matter, or wear out its flash.
 */

import type { Alarm } from '@imlma/protocol/wire'

type Raised = Pick<Alarm, 'kind' | 'model' | 'evidence'>

interface Counted {
  readonly since: number
  readonly raised: number
  readonly suppressed: number
}

export type AlarmRate = ReadonlyMap<string, Counted>

/** Of one kind, model and code: the first few tell what it is, of the rest of the hour the number is enough. */
const perWhileMax = 5
export const whileMs = 3_600_000

/** Different things at a time: codes are words of ours and models are few. Beyond, the oldest is forgotten. */
const countedMax = 256

/** `suppressed`: like it, since the last that was raised. undefined where this one is not raised. */
export const admitAlarm = (
  rate: AlarmRate,
  { kind, model, evidence }: Raised,
  at: number,
): { readonly rate: AlarmRate; readonly suppressed: number | undefined } => {
  const key = `${kind} ${model ?? ''} ${String(evidence['code'] ?? '')}`
  const known = rate.get(key)
  const next = new Map(rate)
  next.delete(key)
  if (known !== undefined && known.raised >= perWhileMax && at - known.since < whileMs) {
    return { rate: next.set(key, { ...known, suppressed: known.suppressed + 1 }), suppressed: undefined }
  }
  const isNew = known === undefined || at - known.since >= whileMs
  next.set(key, { since: isNew ? at : known.since, raised: isNew ? 1 : known.raised + 1, suppressed: 0 })
  const [oldest] = next.keys()
  if (next.size > countedMax && oldest !== undefined) next.delete(oldest)
  return { rate: next, suppressed: known?.suppressed ?? 0 }
}
