import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { auditHeadOf, chainEntry, emptyAuditHead } from '@imlma/protocol/audit'
import { sha256 } from '@imlma/protocol/node'
import { createAgentLogs } from '../audit/agent-logs.fs.ts'
import { createCheckpointFile } from '../audit/checkpoint-file.fs.ts'
import { createCheckpointer } from '../audit/checkpointer.ts'
import { layoutOf } from '../layout.ts'
import type { RegistryEvent } from '../registry/events.ts'
import { createHeadFile } from '../registry/head.fs.ts'
import { openRegistry } from '../registry/registry.kysely.ts'
import { openDatabase } from '../storage/database.sqlite.ts'
import { establishTrust } from '../trust/establish.fs.ts'
import { commands } from './commands.ts'
import { openContext } from './context.process.ts'
import { runProgram } from './program.commander.ts'

let dataDir = ''
const day = Date.UTC(2027, 0, 1)
const upload = (n: number): RegistryEvent => ({
  kind: 'upload',
  sha256: sha256(String(n)),
  bytes: n,
  by: 'ann',
})

const imlma = async (...args: readonly string[]) => {
  let text = ''
  const write = (part: string) => void (text += part)
  const code = await runProgram(
    {
      commands,
      terminal: { out: write, err: write },
      open: (options) => openContext({ folder: dataDir, environment: {}, options }, write),
    },
    [...args, '--data-dir', dataDir],
  )
  return { code, text }
}

/** Ten events on ten days; the first eight of them and the log of an agent are signed. */
beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'imlma-records-'))
  const layout = layoutOf(dataDir)
  const trust = await establishTrust(layout.trust, { now: day })
  const db = openDatabase(layout.registry)
  const registry = await openRegistry({ db, head: createHeadFile(layout.registryHead) })
  const logs = createAgentLogs({ folder: layout.agentLogs })
  const entry = chainEntry(emptyAuditHead, { kind: 'started', details: {} }, day, sha256)
  const log = { log: 'log-1', branch: 1, head: emptyAuditHead }
  await logs.begin('gw-1', log)
  await logs.append('gw-1', log, [entry])
  const checkpointer = await createCheckpointer(
    {
      registry,
      write: createCheckpointFile(layout.checkpoints).append,
      signer: () => trust.director,
      now: () => day,
    },
    { site: 'demo', everyEvents: 7 },
  )
  for (let n = 1; n <= 6; n += 1) await registry.append([upload(n)], day + (n - 1) * 86_400_000)
  await checkpointer.look()
  const { hash, seq } = auditHeadOf(entry)
  await registry.append(
    [{ kind: 'agent-log-kept', agent: 'gw-1', log: 'log-1', entry: seq, head: hash, keyid: null }],
    day + 6 * 86_400_000,
  )
  await checkpointer.look()
  await registry.append([upload(9)], day + 9 * 86_400_000)
  await registry.close()
})
afterEach(() => rm(dataDir, { recursive: true, force: true }))

const checkpoints = () => layoutOf(dataDir).checkpoints

test('records that nobody touched hold', async () => {
  expect(await imlma('audit', 'verify')).toMatchObject({ code: 0, text: expect.stringContaining('9 events') })
})

test('events that were cut off behind a signed place are found, also where the head file was cut as well', async () => {
  const { registry, registryHead } = layoutOf(dataDir)
  const db = openDatabase(registry)
  const row = await db.selectFrom('events').selectAll().where('seq', '=', 5).executeTakeFirstOrThrow()
  await db.destroy()
  // A registry of the first five events, with a head of its own: whole in itself.
  await rm(registry)
  const fresh = openDatabase(registry)
  await rm(registryHead)
  const shorter = await openRegistry({ db: fresh, head: createHeadFile(registryHead) })
  for (let n = 1; n <= 5; n += 1) await shorter.append([upload(n)], day + (n - 1) * 86_400_000)
  expect((await shorter.latestEvents(1))[0]?.hash).toBe(row.hash)
  await shorter.close()
  expect(await imlma('audit', 'verify')).toMatchObject({
    text: expect.stringContaining('were signed, and the chain ends at 5'),
  })
})

test('a registry that was rewritten as a whole is found by what was signed', async () => {
  const { registry, registryHead } = layoutOf(dataDir)
  await rm(registry)
  await rm(registryHead)
  const other = await openRegistry({ db: openDatabase(registry), head: createHeadFile(registryHead) })
  for (let n = 1; n <= 12; n += 1) await other.append([upload(n + 100)], day)
  await other.close()
  expect(await imlma('audit', 'verify')).toMatchObject({ text: expect.stringContaining('were rewritten') })
})

test('a checkpoint by another key is not believed', async () => {
  const [line = ''] = (await readFile(checkpoints(), 'utf8')).split('\n')
  await writeFile(checkpoints(), `${line.replace(/"sig":"...../, '"sig":"AAAAA')}\n`)
  expect(await imlma('audit', 'verify')).toMatchObject({
    code: 1,
    text: expect.stringContaining('BAD_SIGNATURE'),
  })
})

test('a stored log of an agent that was changed or removed is found', async () => {
  const path = join(layoutOf(dataDir).agentLogs, 'gw-1', 'log-1.1.ndjson')
  const text = await readFile(path, 'utf8')
  await writeFile(path, text.replace('started', 'stopped'))
  expect((await imlma('audit', 'verify')).text).toContain('the log of gw-1: entry 1 was changed')
  await rm(path)
  expect((await imlma('audit', 'verify')).text).toContain('was stored up to entry 1, which is gone')
})

test('an export proves itself, the whole and a part of it, and replaces no file', async () => {
  const out = join(dataDir, 'all.ndjson')
  expect(await imlma('audit', 'export', '--out', out)).toMatchObject({ code: 0 })
  expect((await imlma('audit', 'export', '--out', out)).text).toContain('WRITE_FAILED')
  const whole = await imlma('audit', 'verify', '--file', out)
  expect(whole).toMatchObject({ code: 0, text: expect.stringContaining('events 1 to 9 of demo') })
  expect(whole.text).toContain('signed up to event 7')
  const part = join(dataDir, 'part.ndjson')
  await imlma('audit', 'export', '--out', part, '--from', '2027-01-03', '--to', '2027-01-05')
  expect((await imlma('audit', 'verify', '--file', part)).text).toContain('events 3 to 5 of demo')
  expect((await imlma('audit', 'export', '--out', part, '--from', 'yesterday')).code).toBe(1)
  expect((await imlma('audit', 'export', '--out', `${part}.2`, '--from', '2029-01-01')).text).toContain(
    'NOTHING_FOUND',
  )
})

test('an export that was changed anywhere is refused', async () => {
  const out = join(dataDir, 'all.ndjson')
  await imlma('audit', 'export', '--out', out)
  const text = await readFile(out, 'utf8')
  const lines = text.split('\n')
  const seal = JSON.parse(lines.at(-2) as string) as {
    sha256: string
    checkpoints: unknown[]
    events: number
  }
  const resealed = (body: readonly string[], changes: object = {}): string => {
    const before = `${body.join('\n')}\n`
    return `${before}${JSON.stringify({ ...seal, sha256: sha256(before), events: body.length - 1, ...changes })}\n`
  }
  const body = lines.slice(0, -2)
  const swapped = [...body.slice(0, 3), body[4] as string, body[3] as string, ...body.slice(5)]
  const forgeries: readonly (readonly [string, string])[] = [
    [text.replace('"by":"ann"', '"by":"bob"'), 'CHAIN_BROKEN'],
    [resealed(body.map((line) => line.replace('"by":"ann"', '"by":"bob"'))), 'CHAIN_BROKEN'],
    [resealed(body.toSpliced(4, 1)), 'CHAIN_BROKEN'],
    [resealed(swapped), 'CHAIN_BROKEN'],
    [resealed(body, { events: 3 }), 'CHAIN_BROKEN'],
    [resealed(body, { roots: [{ ...seal.checkpoints[0]! }] }), 'BAD_SIGNATURE'],
    [`${body.join('\n')}\n`, 'TRUNCATED'],
    [text.slice(0, -1), 'TRUNCATED'],
    ['', 'TRUNCATED'],
  ]
  for (const [forged, code] of forgeries) {
    await writeFile(out, forged)
    expect(await imlma('audit', 'verify', '--file', out)).toMatchObject({
      code: 1,
      text: expect.stringContaining(code),
    })
  }
  await writeFile(out, text)
  expect(await imlma('audit', 'verify', '--file', out)).toMatchObject({ code: 0 })
})
