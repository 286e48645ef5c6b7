import {
  appendFileSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { claimedCheckpoint, type AuditEntry } from '@imlma/protocol/audit'
import { createSigner, generateKeyPair, toKeyId } from '@imlma/protocol/node'
import { toBase64 } from '@imlma/protocol/trust'
import { openAuditLog, type AuditLogOptions } from './log.fs.ts'
import type { AuditLog } from './log.ts'
import { createRecorder } from './recorder.ts'
import { auditFolderOf, heldPath, verifyAuditLog } from './verify.fs.ts'

const pair = generateKeyPair()
const signer = createSigner(pair.secretKey)
const key = { keyid: toKeyId(pair.publicKey), public: toBase64(pair.publicKey) }

let dataDir = ''
let failures: unknown[] = []
beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), 'imlma-audit-'))
  failures = []
})
afterEach(() => rmSync(dataDir, { recursive: true, force: true }))

const open = (options: Partial<AuditLogOptions> = {}): AuditLog =>
  openAuditLog(
    { now: () => 1_000, signer, onFailure: (cause) => failures.push(cause) },
    { site: 'demo', agent: 'gw-1', folder: auditFolderOf(dataDir), ...options },
  )

const fact = (n: number) => ({ kind: 'alarm', details: { n, text: 'x'.repeat(100) } })
const fill = (log: AuditLog, entries: number): void => {
  for (let n = 1; n <= entries; n += 1) log.append(fact(n), 1_000 + n)
}
const verify = (visit?: (entry: AuditEntry) => void) => verifyAuditLog(dataDir, key, visit)
const segments = (): readonly string[] =>
  readdirSync(auditFolderOf(dataDir))
    .filter((name) => name.endsWith('.ndjson'))
    .toSorted()
const small = { segmentBytesMax: 2_000, bytesMax: 6_000 }

/** Rewrites one line of a segment. */
const tamper = (line: number, change: (text: string) => string): void => {
  const path = join(auditFolderOf(dataDir), segments()[0] as string)
  const lines = readFileSync(path, 'utf8').split('\n')
  lines[line] = change(lines[line] as string)
  writeFileSync(path, lines.join('\n'))
}

describe('the log of an agent', () => {
  test('goes on where it ended, under its name', async () => {
    const first = open()
    fill(first, 3)
    await first.close()
    const second = open()
    fill(second, 2)
    await second.close()
    expect(second.name).toBe(first.name)
    expect(verify()).toMatchObject({ ok: true, value: { firstSeq: 1, lastSeq: 6, base: 'beginning' } })
  })

  test('gives out only what is durable', async () => {
    const log = open()
    fill(log, 2)
    expect(log.head().seq).toBe(3)
    expect(log.syncedHead().seq).toBe(0)
    expect(await log.read(0, 10)).toEqual([])
    await log.sync()
    expect((await log.read(1, 10)).map(({ seq }) => seq)).toEqual([2, 3])
    await log.close()
  })

  test('stays within its quota, and what remains hangs on a signed place', async () => {
    const log = open(small)
    fill(log, 200)
    await log.close()
    const bytes = segments().reduce(
      (sum, name) => sum + readFileSync(join(auditFolderOf(dataDir), name)).byteLength,
      0,
    )
    expect(bytes).toBeLessThanOrEqual(small.bytesMax + small.segmentBytesMax)
    expect(readdirSync(auditFolderOf(dataDir)).length).toBeLessThan(12)
    const found: AuditEntry[] = []
    expect(verify((entry) => found.push(entry))).toMatchObject({ ok: true, value: { base: 'signed' } })
    expect(found.some(({ fact: { details } }) => details['code'] === 'DROPPED')).toBe(true)
    expect(found[0]?.seq).toBeGreaterThan(1)
    const again = open(small)
    expect(again.base().head.seq).toBe((found[0]?.seq ?? 0) - 1)
    expect(claimedCheckpoint(again.base().checkpoint!)).toMatchObject({
      log: log.name,
      head: again.base().head,
    })
    await again.close()
  })

  test('reads across segments in order', async () => {
    const log = open({ segmentBytesMax: 2_000 })
    fill(log, 50)
    await log.sync()
    const read = await log.read(5, 30)
    expect(read.map(({ seq }) => seq)).toEqual(Array.from({ length: 30 }, (_, index) => index + 6))
    await log.close()
  })

  test('loses half a line in a power cut, says so, and goes on', async () => {
    const log = open()
    fill(log, 3)
    await log.close()
    const path = join(auditFolderOf(dataDir), segments()[0] as string)
    truncateSync(path, readFileSync(path).byteLength - 20)
    expect(verify()).toMatchObject({ ok: true, value: { lastSeq: 3 } })
    const mended = open()
    await mended.close()
    expect(mended.name).toBe(log.name)
    const found: AuditEntry[] = []
    expect(verify((entry) => found.push(entry))).toMatchObject({ ok: true, value: { tornBytes: 0 } })
    expect(found.at(-1)).toMatchObject({ seq: 4, fact: { details: { code: 'TORN' } } })
  })

  test('that was tampered with is set aside, and a new one says so', async () => {
    const log = open()
    fill(log, 3)
    await log.close()
    tamper(1, (line) => line.replace('"n":1', '"n":7'))
    const next = open()
    await next.close()
    expect(next.name).not.toBe(log.name)
    const found: AuditEntry[] = []
    verify((entry) => found.push(entry))
    expect(found[0]?.fact).toMatchObject({ kind: 'log', details: { code: 'BEGUN', previous: log.name } })
    expect(readdirSync(dataDir)).toContain('audit.set-aside')
  })

  test('of another agent is not carried on', async () => {
    const log = open()
    await log.close()
    const other = open({ agent: 'gw-2' })
    await other.close()
    expect(other.name).not.toBe(log.name)
  })

  test('counts what the disk did not take', async () => {
    const log = open({ segmentBytesMax: 2_000 })
    // A surrogate pair cut in half is no reason to lose an entry; a value that JSON cannot say is.
    expect(log.append({ kind: 'alarm', details: { value: Number.NaN } }, 1)).toBeUndefined()
    expect(failures).toHaveLength(1)
    expect(log.append(fact(1), 2)).toMatchObject({ seq: 3 })
    await log.sync()
    expect((await log.read(1, 1))[0]?.fact).toEqual({
      kind: 'log',
      details: { code: 'NOT_WRITTEN', entries: 1 },
    })
    await log.close()
  })
})

describe('verifying', () => {
  const breaking: readonly (readonly [string, () => void, RegExp])[] = [
    [
      'an entry that was changed',
      () => tamper(1, (line) => line.replace('"n":1', '"n":7')),
      /entry 2 was changed/,
    ],
    [
      'a time that was changed',
      () => tamper(2, (line) => line.replace('"at":1002', '"at":1003')),
      /entry 3 was changed/,
    ],
    ['an entry that was removed', () => tamper(2, () => ''), /is no entry/],
    [
      'entries that changed places',
      () => tamper(1, (line) => line.replace('"seq":2', '"seq":3')),
      /stands behind/,
    ],
    ['a name that is missing', () => rmSync(join(auditFolderOf(dataDir), 'log.json')), /log.json is missing/],
    [
      'an end that was removed after the control centre had it',
      () => {
        const path = join(auditFolderOf(dataDir), segments()[0] as string)
        const lines = readFileSync(path, 'utf8').split('\n')
        const last = JSON.parse(lines.at(-2) as string) as AuditEntry
        const { log } = JSON.parse(readFileSync(join(auditFolderOf(dataDir), 'log.json'), 'utf8')) as {
          log: string
        }
        writeFileSync(heldPath(dataDir), JSON.stringify({ v: 1, log, seq: last.seq, hash: last.hash }))
        writeFileSync(path, `${lines.slice(0, -2).join('\n')}\n`)
      },
      /its end was removed/,
    ],
  ]
  test.each(breaking)('finds %s', async (_name, damage, message) => {
    const log = open()
    fill(log, 4)
    await log.close()
    damage()
    const verified = verify()
    expect(verified).toMatchObject({ ok: false, refusal: { code: 'AUDIT_BROKEN' } })
    expect(verified.ok ? '' : verified.refusal.message).toMatch(message)
  })

  test('finds a segment that is missing in the middle, and a checkpoint that is signed for another place', async () => {
    const log = open({ ...small, bytesMax: 12_000 })
    fill(log, 100)
    await log.close()
    const folder = auditFolderOf(dataDir)
    const base = readdirSync(folder).find((name) => name.endsWith('.checkpoint.json')) as string
    const text = readFileSync(join(folder, base), 'utf8')
    const end = JSON.parse(text) as { checkpoint: { payload: string } }
    end.checkpoint.payload = btoa(atob(end.checkpoint.payload).replace('"log"', '"lag"'))
    writeFileSync(join(folder, base), JSON.stringify(end))
    expect(verify()).toMatchObject({ ok: false })
    writeFileSync(join(folder, base), text)
    expect(verify()).toMatchObject({ ok: true })
    rmSync(join(folder, segments()[1] as string))
    expect(verify()).toMatchObject({ ok: false, refusal: { code: 'AUDIT_BROKEN' } })
  })

  test('tells that there is no log', () => {
    expect(verify()).toMatchObject({ ok: false, refusal: { code: 'NO_AUDIT_LOG' } })
  })
})

describe('the recorder', () => {
  const createWorld = (log: AuditLog) => {
    const world = { at: 0 }
    const recorder = createRecorder(
      { log, now: () => world.at, onFailure: (cause) => failures.push(cause) },
      { perMinuteMax: 3 },
    )
    return { world, recorder }
  }
  const factsOf = async (log: AuditLog) => {
    await log.sync()
    return (await log.read(0, 100)).map(
      ({ fact: { kind, details } }) => `${kind} ${details['code'] ?? details['n']}`,
    )
  }

  test('makes what matters durable at once, and the rest later', async () => {
    const log = open()
    const { recorder } = createWorld(log)
    recorder.record('alarm', { n: 1 })
    expect(log.syncedHead().seq).toBe(0)
    recorder.record('command', { n: 2 })
    await expect.poll(() => log.syncedHead().seq).toBe(3)
    await log.close()
  })

  test('counts a flood instead of keeping it, each code for itself', async () => {
    const log = open()
    const { world, recorder } = createWorld(log)
    for (let n = 0; n < 10; n += 1) recorder.record('command', { code: 'REPLAYED' })
    recorder.record('command', { code: 'EXPIRED' })
    world.at = 60_001
    recorder.record('command', { code: 'REPLAYED' })
    const found = await factsOf(log)
    expect(found).toEqual([
      'log BEGUN',
      ...Array.from({ length: 3 }, () => 'command REPLAYED'),
      'command EXPIRED',
      'log SUPPRESSED',
      'command REPLAYED',
    ])
    await log.close()
  })

  test('says nothing twice, also after a restart', async () => {
    const log = open()
    createWorld(log).recorder.recordOnce('command c-1 succeeded', 'command', { n: 1 })
    await log.close()
    const again = open()
    const { recorder } = createWorld(again)
    recorder.recordOnce('command c-1 succeeded', 'command', { n: 1 })
    recorder.recordOnce('command c-2 succeeded', 'command', { n: 2 })
    expect(await factsOf(again)).toEqual(['log BEGUN', 'command 1', 'command 2'])
    await again.close()
  })
})

test('what is appended to a log by hand is found at the next start', async () => {
  const log = open()
  fill(log, 2)
  await log.close()
  appendFileSync(join(auditFolderOf(dataDir), segments()[0] as string), '{"seq":4}\n')
  const next = open()
  await next.close()
  expect(next.name).not.toBe(log.name)
})
