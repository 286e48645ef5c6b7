/** Readings of one agent, put together: sources → outbox and history on disk → link. */

import { join } from 'node:path'
import { Failure } from '@imlma/protocol/result'
import { createHistory } from './history/history.sqlite.ts'
import type { Raised } from './alarms.ts'
import { createForwarder, type Forwarder } from './link/forwarder.timer.ts'
import type { Link } from './link/link.ts'
import type { Log } from './log.pino.ts'
import { openReadingsDatabase, type Loss } from './outbox/database.sqlite.ts'
import { createHeldAlarms } from './outbox/held-alarms.sqlite.ts'
import { createOutbox } from './outbox/outbox.sqlite.ts'
import type { Outbox } from './outbox/outbox.ts'
import type { SignPacket } from './outbox/payload.zlib.ts'
import { noTrouble, stepTrouble, type StoreEvent, type TroubleAlarm } from './outbox/trouble.ts'
import { createWaitingStore, type Store } from './waiting-store.ts'

export interface Storing extends Store {
  /** From now on, and once for a file that was found broken at the start. */
  readonly onAlarm: (raise: (raised: Raised) => void) => void
  /** Does it now, or when a disk that is full has space and the store opens. */
  readonly whenOpen: (work: () => void) => void
  readonly close: () => void
}

interface StoringParts {
  readonly log: Log
  readonly sign?: SignPacket | undefined
}

/** Between two attempts to open the store on a disk that was full. */
const openAgainMs = 5_000

/** Opens the file of readings, or waits for space to open it. Throws `Failure` STORE_BUSY, STORE_FAILED. */
export const openStoring = (dataDir: string, bytesMax: number, parts: StoringParts): Storing => {
  const open = (failing: string | null = null): Opened => openNow(dataDir, bytesMax, { ...parts, failing })
  try {
    const opened = open()
    return { ...opened, whenOpen: (work) => work() }
  } catch (cause) {
    if (!isFull(cause)) throw cause
    return waitForSpace(cause, () => open(cause.code), parts.log)
  }
}

const isFull = (cause: unknown): cause is Failure => cause instanceof Failure && cause.code === 'NO_SPACE'

type Opened = Omit<Storing, 'whenOpen'>

const openNow = (
  dataDir: string,
  bytesMax: number,
  { log, sign, failing }: StoringParts & { readonly failing: string | null },
): Opened => {
  const database = openReadingsDatabase(join(dataDir, 'readings.db'), Date.now)
  if (database.loss !== undefined)
    log.error(database.loss, 'the file of readings was broken and is set aside')
  const history = createHistory(database)
  const stored = createOutbox(
    { database, now: Date.now, participants: [history], ...(sign && { sign }) },
    { bytesMax },
  )
  const { outbox, onAlarm } = watchStore(stored, { bytesMax, loss: database.loss, failing, log })
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

/** The store that is not there yet, and becomes the one that is. */
const waitForSpace = (failure: Failure, open: () => Opened, log: Log): Storing => {
  log.error(
    { code: failure.code, hint: failure.hint, err: failure },
    'no space to open the store of readings',
  )
  const waiting = createWaitingStore(failure)
  let opened: Opened | undefined
  let raise: ((raised: Raised) => void) | undefined
  const works: (() => void)[] = []
  const attempt = (): void => {
    let next: Opened | undefined
    try {
      next = open()
      waiting.open(next)
    } catch (cause) {
      next?.close()
      if (!isFull(cause)) log.error({ err: cause }, 'the store of readings was not opened')
      return
    }
    clearInterval(timer)
    opened = next
    log.info('there is space again: the store of readings is open')
    if (raise !== undefined) next.onAlarm(raise)
    for (const work of works.splice(0)) work()
  }
  const timer = setInterval(attempt, openAgainMs)
  return {
    ...waiting,
    onAlarm: (listener) => {
      raise = listener
      if (opened !== undefined) return opened.onAlarm(listener)
      listener(
        toRaised({
          code: failure.code,
          detail: 'readings are refused until there is space; models are served',
        }),
      )
    },
    whenOpen: (work) => void (opened === undefined ? works.push(work) : work()),
    close: () => {
      clearInterval(timer)
      opened?.close()
    },
  }
}

const toRaised = ({ code, ...evidence }: TroubleAlarm & Raised['evidence']): Raised => ({
  model: null,
  version: null,
  kind: 'storage',
  level: 'act',
  value: null,
  limit: null,
  evidence: { code, ...evidence },
})

interface Watched {
  readonly bytesMax: number
  readonly loss: Loss | undefined
  /** What was told already and holds until readings are stored. */
  readonly failing: string | null
  readonly log: Log
}

/** The outbox, with an alarm where it cannot store, drops for its quota, or began with a broken file. */
const watchStore = (outbox: Outbox, { bytesMax, loss, failing, log }: Watched) => {
  let trouble = { ...noTrouble(outbox.backlog().dropped), failing }
  let raise: ((raised: Raised) => void) | undefined
  const tell = (alarm: TroubleAlarm & Raised['evidence']): void => raise?.(toRaised(alarm))
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
