/** Readings of one agent, put together: sources → outbox and history on disk → link. */

import { join } from 'node:path'
import { Failure } from '@imlma/protocol/result'
import { createHistory } from './history/history.sqlite.ts'
import type { History } from './history/history.ts'
import type { Raised } from './alarms.ts'
import { createForwarder, type Forwarder } from './link/forwarder.timer.ts'
import type { Link } from './link/link.ts'
import type { Log } from './log.pino.ts'
import { openReadingsDatabase, type Loss } from './outbox/database.sqlite.ts'
import { createHeldAlarms, type HeldAlarms } from './outbox/held-alarms.sqlite.ts'
import { createOutbox } from './outbox/outbox.sqlite.ts'
import type { Outbox } from './outbox/outbox.ts'
import type { SignPacket } from './outbox/payload.zlib.ts'
import { noTrouble, stepTrouble, type StoreEvent, type TroubleAlarm } from './outbox/trouble.ts'

export interface Storing {
  readonly outbox: Outbox
  readonly history: History
  readonly heldAlarms: HeldAlarms
  /** From now on, and once for a file that was found broken at the start. */
  readonly onAlarm: (raise: (raised: Raised) => void) => void
  readonly close: () => void
}

/** Opens the file of readings. Throws `Failure` STORE_BUSY, STORE_FAILED. */
export const openStoring = (
  dataDir: string,
  bytesMax: number,
  { log, sign }: { readonly log: Log; readonly sign?: SignPacket | undefined },
): Storing => {
  const database = openReadingsDatabase(join(dataDir, 'readings.db'), Date.now)
  if (database.loss !== undefined)
    log.error(database.loss, 'the file of readings was broken and is set aside')
  const history = createHistory(database)
  const stored = createOutbox(
    { database, now: Date.now, participants: [history], ...(sign && { sign }) },
    { bytesMax },
  )
  const { outbox, onAlarm } = watchStore(stored, { bytesMax, loss: database.loss, log })
  const close = (): void => {
    try {
      outbox.settle()
    } catch (cause) {
      log.warn({ err: cause }, 'what was acknowledged last is sent once more')
    }
    database.close()
  }
  return { outbox, history, heldAlarms: createHeldAlarms(database), onAlarm, close }
}

interface Watched {
  readonly bytesMax: number
  readonly loss: Loss | undefined
  readonly log: Log
}

/** The outbox, with an alarm where it cannot store, drops for its quota, or began with a broken file. */
const watchStore = (outbox: Outbox, { bytesMax, loss, log }: Watched) => {
  let trouble = noTrouble(outbox.backlog().dropped)
  let raise: ((raised: Raised) => void) | undefined
  const tell = ({ code, ...evidence }: TroubleAlarm & Raised['evidence']): void =>
    raise?.({
      model: null,
      version: null,
      kind: 'storage',
      level: 'act',
      value: null,
      limit: null,
      evidence: { code, ...evidence },
    })
  const step = (event: StoreEvent): void => {
    const next = stepTrouble(trouble, event)
    trouble = next.trouble
    if (next.healed !== undefined) log.info({ code: next.healed }, 'readings are stored again')
    if (next.alarm !== undefined) tell({ ...next.alarm })
  }
  const append: Outbox['append'] = (series, options) => {
    try {
      outbox.append(series, options)
    } catch (cause) {
      if (cause instanceof Failure) step({ kind: 'failed', code: cause.code })
      throw cause
    }
    const { bytes, dropped } = outbox.backlog()
    step({ kind: 'stored', bytes, bytesMax, dropped })
  }
  const onAlarm: Storing['onAlarm'] = (listener) => {
    raise = listener
    if (loss === undefined) return
    const { batches, readings, lostBatches } = loss
    const detail = 'the file of readings was broken; what could be read of it is kept'
    tell({ code: 'STORE_CORRUPT', detail, batches, readings, lostBatches, cause: loss.cause.slice(0, 500) })
  }
  return { outbox: { ...outbox, append }, onAlarm }
}

export const startForwarding = (
  { outbox, link, log }: { readonly outbox: Outbox; readonly link: Link; readonly log: Log },
  options: { readonly backlogBytesPerSecondMax: number },
): Forwarder => {
  let quietUntil = 0
  // Tried again every second: the log says so once a minute.
  const onFailure = (cause: unknown): void => {
    if (performance.now() < quietUntil) return
    quietUntil = performance.now() + 60_000
    log.error({ err: cause }, 'readings were not forwarded')
  }
  const forwarder = createForwarder({ outbox, link, onFailure }, options)
  forwarder.start()
  return forwarder
}
