import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { limits } from '@imlma/protocol/limits'
import { Failure } from '@imlma/protocol/result'
import { encodeJson, parseCborMessage, readingBatchSchema } from '@imlma/protocol/wire'
import { openReadingsDatabase, type ReadingsDatabase } from '../outbox/database.sqlite.ts'
import { createOutbox } from '../outbox/outbox.sqlite.ts'
import { drained, refilled, toBacklogMax } from './bandwidth.ts'
import {
  afterAck,
  beginAfter,
  forwarderDefaults,
  isOverdue,
  toRoom,
  type ForwarderOptions,
} from './forwarder.ts'
import { createForwarder, type Forwarder } from './forwarder.timer.ts'
import type { ControlMessage } from './link.ts'

let folder: string
let database: ReadingsDatabase
let forwarder: Forwarder | undefined
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'imlma-forwarder-'))
  database = openReadingsDatabase(join(folder, 'readings.db'), Date.now)
})
afterEach(() => {
  forwarder?.stop()
  database.close()
  rmSync(folder, { recursive: true })
})

const parse = (packet: Uint8Array) => {
  const batch = parseCborMessage(readingBatchSchema, packet, limits.packetBytesMax)
  if (!batch.ok) throw new Error(batch.refusal.message)
  return batch.value
}

/** The far end of a link: what arrives, and a connection that the test makes and breaks. */
const createFarEnd = () => {
  const sent: number[] = []
  const values: number[] = []
  const onAck = new Set<(message: ControlMessage) => void>()
  const onConnect = new Set<() => void>()
  let connected = false
  let deaf = false
  return {
    sent,
    values,
    link: {
      publish: async (_channel: string, payload: Uint8Array) => {
        if (!connected) throw new Failure('LINK_DOWN', 'down', { retryable: true })
        const batch = parse(payload)
        sent.push(batch.seq)
        if (!deaf) values.push(batch.series[0]?.values[0] ?? Number.NaN)
      },
      on: (_channel: string, listener: (message: ControlMessage) => void) => {
        onAck.add(listener)
        return () => void onAck.delete(listener)
      },
      onConnect: (listener: () => void) => {
        onConnect.add(listener)
        return () => void onConnect.delete(listener)
      },
      connected: () => connected,
    },
    connect: () => {
      connected = true
      for (const listener of onConnect) listener()
    },
    disconnect: () => {
      connected = false
    },
    ack: (seq: number) => {
      for (const listener of onAck) listener({ payload: encodeJson({ v: 1, seq }), retained: false })
    },
    ignoreReadings: (ignored: boolean) => {
      deaf = ignored
    },
    listeners: () => onAck.size + onConnect.size,
  }
}

const setUp = (options: Partial<ForwarderOptions> = {}) => {
  const outbox = createOutbox({ database, now: Date.now })
  const far = createFarEnd()
  forwarder = createForwarder({ outbox, link: far.link }, options)
  forwarder.start()
  let slot = 0
  const append = (count: number, historical = false) => {
    for (let i = 0; i < count; i++) {
      slot += 1
      const column = {
        meter: 'm',
        register: 'r',
        interval: 1_000,
        start: slot * 1_000,
        values: Float32Array.of(slot),
      }
      outbox.append([column], { historical })
    }
  }
  return { outbox, far, append }
}

/** Lets everything run that is due now. */
const settle = async () => {
  for (let i = 0; i < 5; i++) await new Promise((resolve) => setImmediate(resolve))
}

describe('forwarder', () => {
  test('sends in ascending order, so many ahead of the acknowledgement and no more', async () => {
    const { far, append, outbox } = setUp({ batchesMax: 4 })
    far.connect()
    far.ack(0)
    append(10)
    await settle()
    expect(far.sent).toEqual([1, 2, 3, 4])
    far.ack(2)
    await settle()
    expect(far.sent).toEqual([1, 2, 3, 4, 5, 6])
    far.ack(6)
    await settle()
    far.ack(10)
    expect(far.sent).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10])
    expect(outbox.backlog().batches).toBe(0)
  })

  test('sends nothing before the coordinator has said where to continue', async () => {
    const { far, append } = setUp()
    append(2)
    far.connect()
    await settle()
    expect(far.sent).toEqual([])
    far.ack(30)
    await settle()
    expect(far.sent).toEqual([31, 32])
  })

  test('begins again after the last acknowledgement when it reconnects', async () => {
    const { far, append } = setUp()
    far.connect()
    far.ack(0)
    append(3)
    await settle()
    far.ack(1)
    far.disconnect()
    append(1)
    await settle()
    far.connect()
    await settle()
    expect(far.sent).toEqual([1, 2, 3, 2, 3, 4])
  })

  test('sends again when no acknowledgement comes, ever more rarely', async () => {
    const { far, append } = setUp({ ackTimeoutMs: 60, ackTimeoutMsMax: 120 })
    far.connect()
    far.ack(0)
    far.ignoreReadings(true)
    append(2)
    await vi.waitUntil(() => far.sent.length === 4)
    expect(far.sent).toEqual([1, 2, 1, 2])
    far.ignoreReadings(false)
    await vi.waitUntil(() => far.values.length >= 2)
    expect(far.values.slice(0, 2)).toEqual([1, 2])
  })

  test('a coordinator that never acknowledges costs a window of packets, whatever waits', async () => {
    const { far, append, outbox } = setUp({ batchesMax: 3, ackTimeoutMs: 60_000 })
    far.connect()
    far.ack(0)
    append(200)
    await settle()
    append(200)
    await settle()
    expect(far.sent).toEqual([1, 2, 3])
    expect(outbox.backlog().batches).toBe(400)
  })

  test('live readings go out beside a backlog that has used up its bandwidth', async () => {
    const { far, append } = setUp({ backlogBytesPerSecondMax: 1 })
    append(20, true)
    far.connect()
    far.ack(0)
    await settle()
    far.ack(1)
    append(2)
    await settle()
    far.ack(3)
    append(1)
    await settle()
    expect(far.values).toEqual([1, 21, 22, 23])
  })

  test('a backlog takes half of the window, and all of it in the end', async () => {
    const { far, append, outbox } = setUp({ batchesMax: 8 })
    append(40, true)
    far.connect()
    far.ack(0)
    await settle()
    append(2)
    await settle()
    expect(far.values).toEqual([1, 2, 3, 4, 41, 42])
    for (let seq = 6; outbox.backlog().batches > 0; seq = Math.max(...far.sent)) {
      far.ack(seq)
      await settle()
    }
    expect(far.values.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 42 }, (_, i) => i + 1))
  })

  test('begins with the new numbers when the coordinator knows more than the disk', async () => {
    const { far, append } = setUp()
    far.connect()
    far.ack(0)
    append(2)
    await settle()
    far.ack(500)
    await settle()
    expect(far.sent).toEqual([1, 2, 501, 502])
    expect(far.values).toEqual([1, 2, 1, 2])
  })

  test('sends what is held again from a sequence on when a technician asks', async () => {
    const { far, append } = setUp()
    far.connect()
    far.ack(0)
    append(4)
    await settle()
    far.ack(1)
    forwarder?.resendFrom(3)
    await settle()
    forwarder?.resendFrom(1)
    await settle()
    expect(far.sent).toEqual([1, 2, 3, 4, 3, 4, 2, 3, 4])
  })

  test('an acknowledgement that cannot be read changes nothing', async () => {
    const { far, append, outbox } = setUp()
    far.connect()
    far.ack(0)
    append(1)
    await settle()
    far.ack(Number.NaN)
    far.ack(-4)
    await settle()
    expect(outbox.backlog().batches).toBe(1)
  })

  test('leaves no listener and no timer behind', () => {
    const { far } = setUp()
    forwarder?.stop()
    expect(far.listeners()).toBe(0)
  })
})

describe('the bandwidth of a backlog', () => {
  test('fills with time, up to a second, and lets a larger batch leave that is paid for afterwards', () => {
    const full = refilled({ bytes: 0, at: 0 }, 1_000, 60_000)
    expect(full).toEqual({ bytes: 1_000, at: 60_000 })
    const inDebt = drained(full, 5_000)
    expect(toBacklogMax(full, 1_000, 16)).toBe(1)
    expect(toBacklogMax(refilled(inDebt, 1_000, 64_000), 1_000, 16)).toBe(0)
    expect(toBacklogMax(refilled(inDebt, 1_000, 64_001), 1_000, 16)).toBe(1)
  })

  test('is none where there is no limit', () => {
    const empty = refilled({ bytes: 0, at: 0 }, 0, 1)
    expect([toBacklogMax(empty, 0, 16), toBacklogMax(drained(empty, 1e9), 0, 1)]).toEqual([8, 1])
  })
})

describe('the window', () => {
  const options = { ...forwarderDefaults, batchesMax: 4 }

  test('has room for what is not on the way', () => {
    expect(toRoom(beginAfter(10, 0), options)).toBe(4)
    expect(toRoom({ ...beginAfter(10, 0), sent: 13 }, options)).toBe(1)
    expect(toRoom({ ...beginAfter(10, 0), sent: 99 }, options)).toBe(0)
  })

  test('is overdue only with something on the way, after twice as long each time', () => {
    const sent = { ...beginAfter(0, 100), sent: 2 }
    expect(isOverdue(beginAfter(0, 100), options, 1e9)).toBe(false)
    expect(isOverdue(sent, options, 5_099)).toBe(false)
    expect(isOverdue(sent, options, 5_100)).toBe(true)
    expect(isOverdue({ ...sent, silentRounds: 1 }, options, 5_100)).toBe(false)
    expect(isOverdue({ ...sent, silentRounds: 40 }, options, 60_100)).toBe(true)
    expect(afterAck({ ...sent, silentRounds: 3 }, 5, 200)).toEqual({ ...beginAfter(5, 200) })
  })
})
