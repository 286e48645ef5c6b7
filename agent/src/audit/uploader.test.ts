import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { auditPageSchema, type AuditHead, type AuditPage } from '@imlma/protocol/audit'
import { Failure } from '@imlma/protocol/result'
import { encodeJson, parseJsonMessage } from '@imlma/protocol/wire'
import type { ControlMessage, Link } from '../link/link.ts'
import { openAuditLog } from './log.fs.ts'
import type { AuditLog } from './log.ts'
import { createRecorder, type Recorder } from './recorder.ts'
import { startUploader, type UploaderOptions } from './uploader.timer.ts'

let folder = ''
let log: AuditLog
let recorder: Recorder
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'imlma-upload-'))
  log = openAuditLog({ now: () => 1 }, { site: 'demo', agent: 'gw-1', folder: join(folder, 'audit') })
  recorder = createRecorder({ log, now: () => 1, onFailure: () => undefined }, { perMinuteMax: 10_000 })
})
afterEach(async () => {
  await log.close()
  rmSync(folder, { recursive: true, force: true })
})

/** A link that delivers into a list, and is answered by hand. */
const createWire = () => {
  const pages: AuditPage[] = []
  let answered: (message: ControlMessage) => void = () => undefined
  let connect: () => void = () => undefined
  const wire = { up: true, pages }
  const link: Pick<Link, 'publish' | 'on' | 'onConnect' | 'connected'> = {
    connected: () => wire.up,
    publish: async (channel, payload) => {
      if (!wire.up) throw new Failure('LINK_DOWN', 'no connection', { retryable: true })
      const page = parseJsonMessage(auditPageSchema, payload, 262_144)
      if (channel === 'audit' && page.ok) pages.push(page.value)
    },
    on: (channel, listener) => {
      if (channel === 'audit-ack') answered = listener
      return () => undefined
    },
    onConnect: (listener) => {
      connect = listener
      return () => undefined
    },
  }
  return {
    ...wire,
    link,
    setUp: (up: boolean) => {
      wire.up = up
      if (up) connect()
    },
    answer: (seq: number, name = log.name) =>
      answered({ payload: encodeJson({ v: 1, log: name, seq }), retained: false }),
  }
}

const quick: UploaderOptions = { gatherMs: 5, urgentMs: 1, answerMs: 40 }
const start = (wire: ReturnType<typeof createWire>, held: AuditHead[] = [], options = quick) =>
  startUploader(
    {
      log,
      recorder,
      link: wire.link,
      now: () => 1,
      onHeld: (head) => held.push(head),
      onFailure: (cause) => {
        throw cause
      },
    },
    options,
  )
const pagesOf = (wire: ReturnType<typeof createWire>, count: number) =>
  expect.poll(() => wire.pages.length).toBeGreaterThanOrEqual(count)

describe('the uploader', () => {
  test('asks first, then sends what the control centre has not, until it has all', async () => {
    const wire = createWire()
    for (let n = 0; n < 450; n += 1) recorder.record('alarm', { n })
    const held: AuditHead[] = []
    const uploader = start(wire, held, { ...quick, answerMs: 5_000 })
    await pagesOf(wire, 1)
    expect(wire.pages[0]).toMatchObject({
      entries: [],
      head: { seq: 451 },
      base: { seq: 0 },
      checkpoint: null,
    })
    wire.answer(0)
    for (const [count, seq] of [
      [2, 200],
      [3, 400],
      [4, 451],
    ] as const) {
      await pagesOf(wire, count)
      expect(wire.pages[count - 1]?.entries.at(-1)?.seq).toBe(seq)
      wire.answer(seq)
    }
    expect(held.map(({ seq }) => seq)).toEqual([200, 400, 451])
    expect(wire.pages.slice(1).flatMap(({ entries }) => entries.map(({ seq }) => seq))).toEqual(
      Array.from({ length: 451 }, (_, index) => index + 1),
    )
    uploader.stop()
  })

  test('sends again what was not answered, and goes back where the control centre lost something', async () => {
    const wire = createWire()
    recorder.record('alarm', { n: 1 })
    const uploader = start(wire)
    await pagesOf(wire, 2)
    wire.answer(1)
    await expect.poll(() => wire.pages.at(-1)?.entries.map(({ seq }) => seq)).toEqual([2])
    const before = wire.pages.length
    await pagesOf(wire, before + 1)
    expect(wire.pages.at(-1)?.entries.map(({ seq }) => seq)).toEqual([2])
    wire.answer(0)
    await expect.poll(() => wire.pages.at(-1)?.entries.map(({ seq }) => seq)).toEqual([1, 2])
    uploader.stop()
  })

  test('keeps everything while there is no link, and shows its end where the control centre holds more', async () => {
    const wire = createWire()
    wire.setUp(false)
    const uploader = start(wire)
    recorder.record('command', { n: 1 })
    expect(wire.pages).toEqual([])
    wire.setUp(true)
    await pagesOf(wire, 1)
    wire.answer(9)
    await pagesOf(wire, 2)
    expect(wire.pages[1]).toMatchObject({ entries: [], head: { seq: 2 } })
    uploader.stop()
  })

  test('does not listen to an answer about another log', async () => {
    const wire = createWire()
    const uploader = start(wire, [], { ...quick, answerMs: 5_000 })
    await pagesOf(wire, 1)
    wire.answer(0, 'another-log')
    recorder.record('command', { n: 1 })
    await log.sync()
    expect(wire.pages).toHaveLength(1)
    wire.answer(0)
    await pagesOf(wire, 2)
    uploader.stop()
  })
})
