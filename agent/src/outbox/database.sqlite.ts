/**
 * The agent's file of readings: opened, migrated, and set aside where it is broken. An agent always starts: what can be
 * read of a broken file goes into the new one (`salvage.sqlite.ts`), what cannot is counted and reported.
 */

import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import Database from 'better-sqlite3'
import { Failure } from '@imlma/protocol/result'
import { salvage, type Salvaged } from './salvage.sqlite.ts'

export interface ReadingsDatabase {
  readonly sqlite: Database.Database
  /** Set when the file that was there could not be used. */
  readonly loss: Loss | undefined
  /** The failure to throw for an error of SQLite; a broken file is marked, so that the next start sets it aside. */
  readonly toFailure: (cause: unknown) => Failure
  readonly close: () => void
}

export interface Loss extends Salvaged {
  /** The broken file; it is removed where it is larger than a gateway can spare for what nobody may ever look at. */
  readonly movedTo: string
  readonly cause: string
}

/** One entry a version of the file; `user_version` counts how many have run. Never change one, add one. */
const migrations = [
  `CREATE TABLE batches (
     id INTEGER PRIMARY KEY AUTOINCREMENT,
     appended_at INTEGER NOT NULL,
     historical INTEGER NOT NULL,
     deflated INTEGER NOT NULL,
     readings INTEGER NOT NULL,
     bytes INTEGER NOT NULL,
     crc32 INTEGER NOT NULL,
     columns BLOB NOT NULL
   );
   CREATE TABLE cursors (source TEXT PRIMARY KEY, position TEXT NOT NULL) WITHOUT ROWID;
   CREATE TABLE numbering (
     one INTEGER PRIMARY KEY CHECK (one = 1),
     offset INTEGER,
     dropped_batches INTEGER NOT NULL,
     dropped_readings INTEGER NOT NULL
   );
   INSERT INTO numbering VALUES (1, NULL, 0, 0);
   CREATE TABLE series (
     id INTEGER PRIMARY KEY,
     meter TEXT NOT NULL,
     register TEXT NOT NULL,
     interval INTEGER NOT NULL,
     UNIQUE (meter, register, interval)
   );
   CREATE TABLE blocks (
     block INTEGER NOT NULL,
     series INTEGER NOT NULL,
     slots BLOB NOT NULL,
     PRIMARY KEY (block, series)
   ) WITHOUT ROWID;`,
  // Sequences are given when a batch leaves, and not by its id. Of what waits, at most the first 16 can have left.
  `CREATE TABLE drops (class TEXT PRIMARY KEY, dropped INTEGER NOT NULL) WITHOUT ROWID;
   INSERT INTO drops SELECT 'recent', dropped_readings FROM numbering WHERE dropped_readings > 0;
   ALTER TABLE numbering RENAME TO numbering_1;
   CREATE TABLE numbering (
     one INTEGER PRIMARY KEY CHECK (one = 1),
     next INTEGER,
     confirmed INTEGER NOT NULL,
     numbered TEXT NOT NULL
   );
   INSERT INTO numbering SELECT 1, NULL, 1, '[]' FROM numbering_1 WHERE offset IS NULL;
   INSERT INTO numbering
     SELECT 1,
       ifnull(max(id), (SELECT ifnull(max(seq), 0) FROM sqlite_sequence WHERE name = 'batches')) + moved + 1,
       1,
       json_group_array(json_array(id + moved, id, historical)) FILTER (WHERE id IS NOT NULL)
     FROM (
       SELECT offset AS moved, id, historical FROM numbering_1 LEFT JOIN batches ON true
       WHERE offset IS NOT NULL ORDER BY id LIMIT 32
     ) GROUP BY moved;
   DROP TABLE numbering_1;
   CREATE TABLE alarms (
     id INTEGER PRIMARY KEY,
     name TEXT NOT NULL,
     alarm TEXT NOT NULL
   );
   CREATE TABLE recent (
     id INTEGER PRIMARY KEY,
     deflated INTEGER NOT NULL,
     crc32 INTEGER NOT NULL,
     columns BLOB NOT NULL
   );`,
]

/** A larger file is not read through at the start: the agent has 1.5 s to its first forecast. */
const checkedBytesMax = 128 * 1_048_576

/** Broken files kept beside the good one, and their size; what could be read of them is in the good one. */
const brokenFilesMax = 2
const brokenBytesMax = 32 * 1_048_576

/** Throws `Failure` STORE_BUSY where another process has the file, STORE_FAILED where the folder cannot be used. */
export const openReadingsDatabase = (path: string, now: () => number): ReadingsDatabase => {
  const folder = dirname(path)
  const suspect = `${path}.suspect`
  let loss: Loss | undefined
  let sqlite: Database.Database
  const beginAnew = (cause: string): Database.Database => {
    const movedTo = setAside(path, now())
    let begun: Database.Database | undefined
    try {
      begun = open(path)
      loss = { movedTo, cause, ...salvage(movedTo, begun, migrations.length) }
    } catch (failure) {
      // Without space for a new one the broken one stays, and is read when there is some.
      begun?.close()
      if (codeOf(failure).startsWith('SQLITE_FULL')) putBack(path, movedTo)
      throw failure
    }
    removeBroken(path)
    return begun
  }
  try {
    mkdirSync(folder, { recursive: true })
    if (existsSync(suspect)) {
      sqlite = beginAnew('was found broken before')
    } else {
      try {
        sqlite = open(path)
      } catch (cause) {
        if (!isBroken(cause)) throw cause
        sqlite = beginAnew(String(cause))
      }
    }
    rmSync(suspect, { force: true })
  } catch (cause) {
    throw toFailure(cause)
  }
  return {
    sqlite,
    loss,
    toFailure: (cause) => {
      if (isBroken(cause)) writeFileSync(suspect, String(cause))
      return toFailure(cause)
    },
    close: () => sqlite.close(),
  }
}

const open = (path: string): Database.Database => {
  const sqlite = new Database(path, { timeout: 500 })
  try {
    // One process a file: a second agent on the same folder would number its batches alike.
    sqlite.pragma('locking_mode = EXCLUSIVE')
    sqlite.pragma('journal_mode = WAL')
    sqlite.pragma('synchronous = FULL')
    sqlite.pragma('journal_size_limit = 8388608')
    // What is written again and again between two checkpoints goes to the file itself once: flash wears out.
    sqlite.pragma('wal_autocheckpoint = 2000')
    // Pages are never given back: 1 MB holds what one live reading of 1,000 meters touches twice over.
    sqlite.pragma('cache_size = -1024')
    if (statSync(path).size <= checkedBytesMax) {
      const verdict = sqlite.pragma('quick_check(1)', { simple: true })
      if (verdict !== 'ok') throw new BrokenFile(String(verdict))
    }
    migrate(sqlite)
    return sqlite
  } catch (cause) {
    sqlite.close()
    throw cause
  }
}

const migrate = (sqlite: Database.Database): void => {
  const done = Number(sqlite.pragma('user_version', { simple: true }))
  if (done > migrations.length) throw new BrokenFile(`version ${done}, this agent knows ${migrations.length}`)
  // A full disk takes no write: a file that needs none opens all the same, and what it holds is served.
  if (done === migrations.length) return
  sqlite.transaction(() => {
    for (const statement of migrations.slice(done)) sqlite.exec(statement)
    sqlite.pragma(`user_version = ${migrations.length}`)
  })()
}

/** The file opened and is not what it must be. */
class BrokenFile extends Error {}

const codeOf = (cause: unknown): string => (cause instanceof Database.SqliteError ? cause.code : '')

const isBroken = (cause: unknown): boolean =>
  cause instanceof BrokenFile || /^SQLITE_(CORRUPT|NOTADB)/.test(codeOf(cause))

const suffixes = ['', '-wal', '-shm']

/** Renames the file and what SQLite keeps beside it; returns the new path of the file. */
const setAside = (path: string, at: number): string => {
  const movedTo = `${path}${brokenMark}${String(at).padStart(15, '0')}`
  for (const suffix of suffixes) {
    if (existsSync(path + suffix)) renameSync(path + suffix, movedTo + suffix)
  }
  return movedTo
}

/** Undoes `setAside`; what was begun in its place goes. */
const putBack = (path: string, movedTo: string): void => {
  for (const suffix of suffixes) {
    rmSync(path + suffix, { force: true })
    if (existsSync(movedTo + suffix)) renameSync(movedTo + suffix, path + suffix)
  }
}

const brokenMark = '.broken-'

/** Keeps the newest broken files, within their bounds. */
const removeBroken = (path: string): void => {
  const folder = dirname(path)
  const prefix = basename(path) + brokenMark
  const broken = readdirSync(folder).filter((name) => name.startsWith(prefix) && /\d$/.test(name))
  let bytes = 0
  for (const [i, name] of broken.toSorted().toReversed().entries()) {
    bytes += statSync(join(folder, name)).size
    if (i < brokenFilesMax && bytes <= brokenBytesMax) continue
    for (const suffix of suffixes) rmSync(join(folder, name + suffix), { force: true })
  }
}

const toFailure = (cause: unknown): Failure => {
  if (cause instanceof Failure) return cause
  const code = codeOf(cause)
  if (code.startsWith('SQLITE_BUSY')) {
    return new Failure('STORE_BUSY', 'another process has the file of readings open', {
      cause,
      hint: 'an agent runs in this data directory already: stop it, or choose another --data-dir',
    })
  }
  if (code.startsWith('SQLITE_FULL')) {
    return new Failure('NO_SPACE', 'no space left for readings', {
      cause,
      retryable: true,
      hint: 'free disk space; what was stored before is still there',
    })
  }
  if (isBroken(cause)) {
    return new Failure('STORE_CORRUPT', 'the file of readings is broken', {
      cause,
      hint: 'start the agent again: the file is set aside and a new one begins',
    })
  }
  return new Failure('STORE_FAILED', 'the file of readings cannot be used', {
    cause,
    retryable: true,
    hint: 'check that the data directory exists and is writable, and that the disk is sound',
  })
}
