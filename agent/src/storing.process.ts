/** Readings of one agent, put together: sources → outbox and history on disk → link. */

import { join } from 'node:path'
import { Failure } from '@imlma/protocol/result'
import { createHistory } from './history/history.sqlite.ts'
import type { History } from './history/history.ts'
import { createForwarder, type Forwarder } from './link/forwarder.timer.ts'
import type { Link } from './link/link.ts'
import type { Log } from './log.pino.ts'
import { openReadingsDatabase, type ReadingsDatabase } from './outbox/database.sqlite.ts'
import { createHeldAlarms, type HeldAlarms } from './outbox/held-alarms.sqlite.ts'
import { createOutbox } from './outbox/outbox.sqlite.ts'
import type { Outbox } from './outbox/outbox.ts'
import type { SignPacket } from './outbox/payload.zlib.ts'
import type { SourceConfig } from './sources/config.ts'
import { createSource } from './sources/create-source.fs.ts'
import type { Source } from './sources/source.ts'

export interface Storing {
  readonly outbox: Outbox
  readonly history: History
  readonly heldAlarms: HeldAlarms
  /** What was lost with a broken file. */
  readonly loss: ReadingsDatabase['loss']
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
  const outbox = createOutbox(
    { database, now: Date.now, participants: [history], ...(sign && { sign }) },
    { bytesMax },
  )
  const close = (): void => {
    try {
      outbox.settle()
    } catch (cause) {
      log.warn({ err: cause }, 'what was acknowledged last is sent once more')
    }
    database.close()
  }
  return { outbox, history, heldAlarms: createHeldAlarms(database), loss: database.loss, close }
}

export const startForwarding = (outbox: Outbox, link: Link, log: Log): Forwarder => {
  const forwarder = createForwarder({
    outbox,
    link,
    onFailure: (cause) => log.error({ err: cause }, 'readings were not forwarded'),
  })
  forwarder.start()
  return forwarder
}

/** Makes every source before any starts: a mistake in the last one is found before the first has sent anything. */
export const openSources = async (
  configs: readonly SourceConfig[],
  outbox: Outbox,
  log: Log,
): Promise<readonly Source[]> => {
  const sources: Source[] = []
  for (const config of configs) {
    const onFailure = (cause: unknown): void => log.warn({ source: config.name, err: cause }, 'source')
    const source = await createSource({ sink: outbox, onFailure }, config)
    if (!source.ok) {
      const { code, message, hint } = source.refusal
      const named =
        config.kind === 'replay' ? `source ${config.name}, ${config.path}` : `source ${config.name}`
      throw new Failure(code, `${named}: ${message}`, hint === undefined ? {} : { hint })
    }
    sources.push(source.value)
  }
  return sources
}
