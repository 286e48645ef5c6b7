import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Sqlite from 'better-sqlite3'
import { sql } from 'kysely'
import { z } from 'zod'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { openDatabase } from './database.sqlite.ts'
import { registryMigrations } from './migrations.ts'
import { createStateStore } from './states.kysely.ts'

const latest = registryMigrations.length

describe('registry.db', () => {
  let folder: string
  let path: string
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'imlma-database-'))
    path = join(folder, 'registry.db')
  })
  afterEach(() => rm(folder, { recursive: true, force: true }))

  test('is opened so that a commit is on disk', async () => {
    const db = openDatabase(path)
    const pragma = async (name: string) =>
      Object.values(
        (await sql<Record<string, unknown>>`pragma ${sql.raw(name)}`.execute(db)).rows[0] ?? {},
      )[0]
    expect(await pragma('journal_mode')).toBe('wal')
    expect(await pragma('synchronous')).toBe(2)
    expect(await pragma('foreign_keys')).toBe(1)
    await db.destroy()
  })

  test('is brought forward step by step and keeps its rows', async () => {
    await openDatabase(path).destroy()
    const next = {
      version: latest + 1,
      name: 'notes',
      statements: ['create table notes (id integer primary key) strict'],
    }
    const db = openDatabase(path, { migrations: [...registryMigrations, next] })
    await sql`insert into notes values (7)`.execute(db)
    await db.destroy()
    const again = openDatabase(path, { migrations: [...registryMigrations, next] })
    expect((await sql`select id from notes`.execute(again)).rows).toEqual([{ id: 7 }])
    await again.destroy()
  })

  test('a full disk is what a transaction fails with, and nothing of it stays', async () => {
    const db = openDatabase(path)
    await sql`create table notes (note blob)`.execute(db)
    // SQLite's own way to a full disk: not one page more.
    await sql`pragma max_page_count = 1`.execute(db)
    const write = db.transaction().execute(async (transaction) => {
      await sql`insert into notes values (1)`.execute(transaction)
      await sql`insert into notes values (zeroblob(10000000))`.execute(transaction)
    })
    await expect(write).rejects.toMatchObject({ code: 'SQLITE_FULL' })
    expect((await sql`select * from notes`.execute(db)).rows).toEqual([])
    await db.destroy()
  })

  test('a step that fails changes nothing', async () => {
    await openDatabase(path).destroy()
    const statements = ['create table half (id integer)', 'nonsense']
    const broken = { version: latest + 1, name: 'broken', statements }
    expect(() => openDatabase(path, { migrations: [...registryMigrations, broken] })).toThrow('cannot open')
    const connection = new Sqlite(path)
    expect(connection.pragma('user_version', { simple: true })).toBe(latest)
    expect(connection.prepare("select name from sqlite_master where name = 'half'").all()).toEqual([])
    connection.close()
  })

  test('of a newer program is refused with both versions named', () => {
    const connection = new Sqlite(path)
    connection.pragma('user_version = 99')
    connection.close()
    expect(() => openDatabase(path)).toThrow(
      expect.objectContaining({
        code: 'DATABASE_NEWER',
        message: expect.stringContaining(`version 99, this program knows ${latest}`),
      }),
    )
  })

  test('that is no database, or lies nowhere, is a failure with a hint', async () => {
    await writeFile(path, 'not a database at all, but long enough to be looked at as one'.repeat(20))
    expect(() => openDatabase(path)).toThrow(expect.objectContaining({ code: 'DATABASE_CORRUPT' }))
    expect(() => openDatabase(join(folder, 'no', 'where.db'))).toThrow(
      expect.objectContaining({ code: 'DATABASE_UNUSABLE', hint: expect.stringMatching(/folder exists/) }),
    )
  })

  test("keeps rooms' states apart, replaces them, and survives a restart", async () => {
    const schema = z.object({ n: z.number() })
    const db = openDatabase(path)
    const states = createStateStore(db)
    await states.save('triggers', 'load', { n: 1 }, 1_000)
    await states.save('triggers', 'load', { n: 2 }, 2_000)
    await states.saveAll(
      'rollout',
      new Map([
        ['gw-1', { n: 5 }],
        ['gw-2', { n: 6 }],
      ]),
      2_000,
    )
    await states.remove('rollout', 'gw-2')
    await db.destroy()
    const again = openDatabase(path)
    const kept = createStateStore(again)
    expect(await kept.load('triggers', 'load', schema)).toEqual({ n: 2 })
    expect(await kept.load('triggers', 'other', schema)).toBeUndefined()
    expect(await kept.loadAll('rollout', schema)).toEqual(new Map([['gw-1', { n: 5 }]]))
    await expect(kept.load('triggers', 'load', z.object({ other: z.string() }))).rejects.toMatchObject({
      code: 'STATE_UNREADABLE',
    })
    await again.destroy()
  })
})
