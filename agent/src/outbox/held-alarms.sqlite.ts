/** Alarms that nobody has got yet, on disk: what was raised without a link, or just before a power cut, is still sent. */

import { alarmSchema, type Alarm } from '@imlma/protocol/wire'
import type { ReadingsDatabase } from './database.sqlite.ts'
import { createRows } from './rows.sqlite.ts'

export interface HeldAlarms {
  /** Durable on return. Throws `Failure` NO_SPACE, STORE_FAILED, STORE_CORRUPT. */
  readonly add: (alarm: Alarm) => void
  /** Oldest first. */
  readonly all: () => readonly Alarm[]
  /** Somebody has it. */
  readonly remove: (id: string) => void
}

/**
 * Beside the quota of readings, which never take an alarm's place: a thousand fill 1 MB at the most, and an agent that was
 * away for weeks has more to do than to repeat more.
 */
const alarmsMax = 1_000

export const createHeldAlarms = (database: ReadingsDatabase): HeldAlarms => {
  const { sqlite } = database
  const rows = createRows(database)
  const insert = sqlite.prepare(`INSERT INTO alarms (name, alarm) VALUES (?, ?)`)
  const trim = sqlite.prepare(
    `DELETE FROM alarms WHERE id <= (SELECT id FROM alarms ORDER BY id DESC LIMIT 1 OFFSET ${alarmsMax})`,
  )
  const select = sqlite.prepare(`SELECT alarm FROM alarms ORDER BY id`).pluck()
  const remove = sqlite.prepare(`DELETE FROM alarms WHERE name = ?`)

  const add = sqlite.transaction((alarm: Alarm): void => {
    insert.run(alarm.id, JSON.stringify(alarm))
    const { changes } = trim.run()
    if (changes > 0) rows.countDropped('alarm', changes)
  })

  const guarded = <Value>(work: () => Value): Value => {
    try {
      return work()
    } catch (cause) {
      throw database.toFailure(cause)
    }
  }
  return {
    add: (alarm) => guarded(() => add(alarm)),
    // One that the disk has changed is left out, and goes with those after it.
    all: () => guarded(() => (select.all() as string[]).flatMap(toAlarm)),
    remove: (id) => guarded(() => void remove.run(id)),
  }
}

const toAlarm = (text: string): readonly Alarm[] => {
  try {
    return [alarmSchema.parse(JSON.parse(text))]
  } catch {
    return []
  }
}
