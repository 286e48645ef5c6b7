import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Sqlite from 'better-sqlite3'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { sha256 } from '@imlma/protocol/node'
import { canonicalJson } from '@imlma/protocol/trust'
import { openDatabase } from '../storage/database.sqlite.ts'
import { registryMigrations } from '../storage/migrations.ts'
import type { StoredEvent } from './chain.ts'
import { createHeadFile } from './head.fs.ts'
import { openRegistry } from './registry.kysely.ts'
import { decidedRun, deployed, signed } from './testing/facts.ts'

const triggers = registryMigrations
  .flatMap(({ statements }) => statements)
  .filter((statement) => statement.startsWith('create trigger'))

describe('audit verify', () => {
  let folder: string
  let database: string
  let headPath: string
  const open = () => openRegistry({ db: openDatabase(database), head: createHeadFile(headPath) })

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'imlma-verify-'))
    database = join(folder, 'registry.db')
    headPath = join(folder, 'registry.head.json')
    const registry = await open()
    for (const version of [1, 2, 3]) {
      await registry.append([...decidedRun('load', version), signed('load', version)], version)
    }
    await registry.append([deployed('load', 3, 'gw-1')], 4)
    await registry.close()
  })
  afterEach(() => rm(folder, { recursive: true, force: true }))

  /** Raw SQL with the guards out of the way, and put back as they were. */
  const attack = (tamper: (connection: Sqlite.Database) => void) => {
    const connection = new Sqlite(database)
    connection.pragma('foreign_keys = OFF')
    for (const name of ['events_never_change', 'events_never_go', 'events_only_follow']) {
      connection.exec(`drop trigger ${name}`)
    }
    tamper(connection)
    for (const statement of triggers) connection.exec(statement)
    connection.close()
  }
  const verdict = async () => {
    const registry = await open()
    const result = await registry.verify()
    await registry.close()
    return result.ok ? 'intact' : `${result.refusal.code} ${result.refusal.message}`
  }
  const row = (connection: Sqlite.Database, seq: number) =>
    connection.prepare('select * from events where seq = ?').get(seq) as StoredEvent
  const put = (connection: Sqlite.Database, { seq, at, event, previousHash, hash }: StoredEvent) =>
    connection.prepare('insert into events values (?, ?, ?, ?, ?)').run(seq, at, event, previousHash, hash)
  /** Chains everything from `from` on anew, as an attacker who knows the rules would. */
  const rehash = (connection: Sqlite.Database, from: number) => {
    let previousHash = from === 1 ? '0'.repeat(64) : row(connection, from - 1).hash
    for (let seq = from; row(connection, seq) !== undefined; seq += 1) {
      const { at, event } = row(connection, seq)
      const hash = sha256(canonicalJson({ seq, at, previousHash, event: JSON.parse(event) as unknown }))
      connection
        .prepare('update events set previousHash = ?, hash = ? where seq = ?')
        .run(previousHash, hash, seq)
      previousHash = hash
    }
  }

  test('finds nothing in an untouched registry', async () => {
    expect(await verdict()).toBe('intact')
  })

  test.each([
    ['a change of an event', "update events set event = replace(event, '0.1.0', '6.6.6') where seq = 3", 3],
    ['a change of a time', 'update events set at = at + 1 where seq = 7', 7],
    ['a change of a hash', `update events set hash = '${'1'.repeat(64)}' where seq = 5`, 5],
    ['a change of spelling', "update events set event = event || ' ' where seq = 4", 4],
    [
      'a second key of the same name',
      `update events set event = replace(event, '{"agent"', '{"agent":"gw-9","agent"') where seq = 16`,
      16,
    ],
    ['a removed event', 'delete from events where seq = 8', 8],
    ['a removed first event', 'delete from events where seq = 1', 1],
    ['a removed first run', 'delete from events where seq <= 5', 1],
    ['a removed newest event', 'delete from events where seq = 16', 16],
    ['a removed newest run', 'delete from events where seq > 10', 11],
    ['an emptied registry', 'delete from events', 1],
    ['an event before the first', "insert into events values (0, 0, '{}', '', '')", 0],
  ])('finds %s', async (_, statement, seq) => {
    attack((connection) => connection.exec(statement))
    expect(await verdict()).toMatch(new RegExp(`^CHAIN_BROKEN first bad event ${seq}: `))
  })

  test('finds two events that changed places', async () => {
    attack((connection) => {
      const [a, b] = [row(connection, 5), row(connection, 10)]
      connection.exec('delete from events where seq in (5, 10)')
      put(connection, { ...b, seq: 5 })
      put(connection, { ...a, seq: 10 })
    })
    expect(await verdict()).toMatch(/^CHAIN_BROKEN first bad event 5: .*moved, inserted or replaced/)
  })

  test('finds an inserted event', async () => {
    attack((connection) => {
      connection.exec('update events set seq = -(seq + 1) where seq >= 6')
      connection.exec('update events set seq = -seq where seq < 0')
      put(connection, { ...row(connection, 5), seq: 6 })
    })
    expect(await verdict()).toMatch(/^CHAIN_BROKEN first bad event 6: /)
  })

  test('finds an event whose hash was made anew, by the event behind it', async () => {
    attack((connection) => {
      connection.exec("update events set event = replace(event, '0.1.0', '6.6.6') where seq = 3")
      const { seq, at, event, previousHash } = row(connection, 3)
      const hash = sha256(canonicalJson({ seq, at, previousHash, event: JSON.parse(event) as unknown }))
      connection.prepare('update events set hash = ? where seq = 3').run(hash)
    })
    expect(await verdict()).toMatch(/^CHAIN_BROKEN first bad event 4: /)
  })

  test('finds a history that was rewritten and chained anew, by the head outside of it', async () => {
    attack((connection) => {
      connection.exec("update events set event = replace(event, '0.1.0', '6.6.6') where seq = 3")
      rehash(connection, 3)
    })
    expect(await verdict()).toMatch(/^CHAIN_BROKEN first bad event 16: .*rewritten/)
  })

  test('finds events that somebody chained to the end', async () => {
    attack((connection) => {
      put(connection, { ...row(connection, 16), seq: 17 })
      rehash(connection, 17)
    })
    expect(await verdict()).toMatch(/^CHAIN_BROKEN first bad event 17: .*not written by this registry/)
  })

  test.each([
    ['a promoted version', "update versions set verdict = 'promote', version = 9 where version = 3", 15],
    ['a metric', "update versions set decision = replace(decision, '0.75', '0.99') where version = 2", 10],
    ['a removed deployment', 'delete from deployments', 16],
    ['a removed run', "delete from runs where run = 'run-2'", 8],
    ["an agent's pin", "insert into pins values ('gw-1', 'load', 1, 3, 0, 12)", 12],
  ])('finds a change of the projections: %s', async (_, statement, seq) => {
    attack((connection) => connection.exec(statement))
    expect(await verdict()).toMatch(new RegExp(`^CHAIN_BROKEN first bad event ${seq}: `))
  })

  test.each([
    ['a missing trigger', 'drop trigger events_never_go'],
    [
      'a champion of their own',
      "drop view aliases; create view aliases as select 'load' as model, 'champion' as alias, 1 as version",
    ],
    ['a trigger of their own', 'create trigger mine after insert on events begin delete from pins; end'],
  ])('finds %s in the guards', async (_, statements) => {
    const connection = new Sqlite(database)
    connection.exec(statements)
    connection.close()
    expect(await verdict()).toMatch(/^CHAIN_BROKEN .*(changed or removed|does not belong here)/)
  })

  test('finds a missing or older head file', async () => {
    const head = await readFile(headPath, 'utf8')
    await rm(headPath)
    expect(await verdict()).toMatch(/^CHAIN_BROKEN .*registry\.head\.json is missing/)
    await writeFile(headPath, head.replace(/"seq":16/, '"seq":15'))
    expect(await verdict()).toMatch(/^CHAIN_BROKEN /)
    await writeFile(headPath, 'nonsense')
    await expect(open()).rejects.toMatchObject({ code: 'HEAD_UNREADABLE' })
  })

  test('finds what is changed while it is open', async () => {
    const registry = await open()
    const before = await readFile(headPath)
    await registry.append([deployed('load', 3, 'gw-2')], 5)
    attack((connection) => connection.exec('delete from events where seq = 17'))
    // The head file goes back as well: the process itself still remembers.
    await writeFile(headPath, before)
    expect(await registry.verify()).toMatchObject({ ok: false, refusal: { code: 'CHAIN_BROKEN' } })
    await expect(registry.append([deployed('load', 3, 'gw-3')], 6)).rejects.toMatchObject({
      code: 'CHAIN_BROKEN',
    })
    await registry.close()
  })

  test('appends nothing to a chain whose end is missing, and still lets it be read', async () => {
    attack((connection) => connection.exec('delete from events where seq = 16'))
    const registry = await open()
    await expect(registry.append([deployed('load', 3, 'gw-1')], 5)).rejects.toMatchObject({
      code: 'CHAIN_BROKEN',
      hint: expect.stringMatching(/backup/),
    })
    expect((await registry.champion('load'))?.version).toBe(3)
    await registry.close()
  })

  test('the database itself refuses to change, remove, replace or skip events', () => {
    const connection = new Sqlite(database)
    for (const statement of [
      'update events set at = 0 where seq = 1',
      'delete from events where seq = 16',
      "insert or replace into events values (16, 0, '{}', '', '')",
      "insert into events values (18, 0, '{}', '', '')",
    ]) {
      expect(() => connection.exec(statement)).toThrow('append-only')
    }
    connection.close()
  })
})
