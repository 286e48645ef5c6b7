/**
 * What stands where the store of readings will be while a full disk does not let it open: it refuses readings, knows no
 * history, and keeps alarms in memory. When the store opens it takes over behind the same functions, so that nobody who
 * was given them needs to know. What was said meanwhile is told to it: alarms, and what the coordinator acknowledged.
 */

import type { Failure } from '@imlma/protocol/result'
import type { Alarm } from '@imlma/protocol/wire'
import type { History } from './history/history.ts'
import type { HeldAlarms } from './outbox/held-alarms.sqlite.ts'
import type { Appended, Backlog, Outbox } from './outbox/outbox.ts'

export interface Store {
  readonly outbox: Outbox
  readonly history: History
  readonly heldAlarms: HeldAlarms
}

export interface WaitingStore extends Store {
  /** From now on this is the store. Throws what it throws; then it is not, and this one waits on. */
  readonly open: (store: Store) => void
}

/** As many as the disk keeps. */
const alarmsMax = 1_000

/** `failure`: why the store is not open. */
export const createWaitingStore = (failure: Failure): WaitingStore => {
  const appended = createListeners()
  const recorded = createListeners()
  let acknowledged = -1
  let alarms: readonly Alarm[] = []
  const refuse = (): never => {
    throw failure
  }
  let store: Store = {
    outbox: {
      append: refuse,
      // A source that took none for the beginning would bring everything again.
      position: refuse,
      next: () => [],
      acknowledge: (seq) => {
        acknowledged = Math.max(acknowledged, seq)
        return { removed: 0, renumbered: false }
      },
      acknowledged: () => undefined,
      settle: () => undefined,
      backlog: () => nothingHeld,
      onAppend: appended.add,
    },
    history: {
      read: (_meter, _register, intervalMs, start, end, target) =>
        (target ?? new Float32Array((end - start) / intervalMs)).fill(Number.NaN),
      series: () => [],
      onAppend: recorded.add,
    },
    heldAlarms: {
      add: (alarm) => {
        alarms = [...alarms, alarm].slice(-alarmsMax)
      },
      all: () => alarms,
      remove: (id) => {
        alarms = alarms.filter((alarm) => alarm.id !== id)
      },
    },
  }
  return {
    outbox: {
      append: (...given) => store.outbox.append(...given),
      position: (source) => store.outbox.position(source),
      next: (window) => store.outbox.next(window),
      acknowledge: (seq) => store.outbox.acknowledge(seq),
      acknowledged: () => store.outbox.acknowledged(),
      settle: () => store.outbox.settle(),
      backlog: () => store.outbox.backlog(),
      onAppend: appended.add,
    },
    history: {
      read: (...given) => store.history.read(...given),
      series: (...given) => store.history.series(...given),
      onAppend: recorded.add,
    },
    heldAlarms: {
      add: (alarm) => store.heldAlarms.add(alarm),
      all: () => store.heldAlarms.all(),
      remove: (id) => store.heldAlarms.remove(id),
    },
    open: (opened) => {
      if (acknowledged >= 0) opened.outbox.acknowledge(acknowledged)
      for (const alarm of alarms) {
        opened.heldAlarms.add(alarm)
        // One that is stored is not stored again where a later one fails.
        alarms = alarms.filter((each) => each !== alarm)
      }
      opened.outbox.onAppend(appended.tell)
      opened.history.onAppend(recorded.tell)
      store = opened
    },
  }
}

const nothingHeld: Backlog = {
  batches: 0,
  bytes: 0,
  readings: 0,
  dropped: 0,
  droppedByClass: { old: 0, recent: 0, damaged: 0, alarm: 0 },
  oldestAt: null,
}

type Listener = (appended: Appended) => void

const createListeners = () => {
  const listeners = new Set<Listener>()
  return {
    add: (listener: Listener): (() => void) => {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
    tell: (appended: Appended): void => {
      for (const listener of listeners) listener(appended)
    },
  }
}
