/**
 * The tables of `readings.db`, as steps from one `user_version` to the next. A step is never changed once released;
 * the next one is appended.
 */

/** Series that one file can name: the block's key packs series and block into one integer that JavaScript can hold. */
const seriesMax = 1_048_576

/** Blocks of one series: 1,440 slots of a second each reach past the last date that JavaScript knows. */
const blocksMax = 8_589_934_592

/** Row of a block. Blocks of a series lie side by side, so that a range of time is a range of rows. */
export const toBlockId = (series: number, block: number): number => series * blocksMax + block

export const readingsMigrations: readonly string[] = [
  `
  CREATE TABLE agents (
    id INTEGER PRIMARY KEY,
    site TEXT NOT NULL,
    agent TEXT NOT NULL,
    acknowledged INTEGER NOT NULL DEFAULT 0,
    highest INTEGER NOT NULL DEFAULT 0,
    lost INTEGER NOT NULL DEFAULT 0,
    batches INTEGER NOT NULL DEFAULT 0,
    ahead TEXT NOT NULL DEFAULT '[]',    -- [[first, last], …]
    missing TEXT NOT NULL DEFAULT '[]',
    UNIQUE (site, agent)
  ) STRICT;

  -- AUTOINCREMENT: an id is never used again, so that the fold's place stays right when old batches are pruned.
  CREATE TABLE batches (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    agent_id INTEGER NOT NULL REFERENCES agents (id),
    seq INTEGER NOT NULL,
    received_at INTEGER NOT NULL,
    bytes BLOB NOT NULL,
    UNIQUE (agent_id, seq)
  ) STRICT;

  CREATE TABLE folded (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    batch_id INTEGER NOT NULL            -- everything up to and with this batch is in the blocks
  ) STRICT;
  INSERT INTO folded VALUES (1, 0);

  CREATE TABLE series (
    id INTEGER PRIMARY KEY CHECK (id < ${seriesMax}),
    site TEXT NOT NULL,
    meter TEXT NOT NULL,
    register TEXT NOT NULL,
    interval_ms INTEGER NOT NULL,
    agent_id INTEGER NOT NULL REFERENCES agents (id),
    first_slot INTEGER,
    last_slot INTEGER,
    filled INTEGER NOT NULL DEFAULT 0,
    UNIQUE (site, register, interval_ms, meter)
  ) STRICT;

  CREATE TABLE blocks (
    id INTEGER PRIMARY KEY,              -- series id × ${blocksMax} + number of the block
    cells BLOB NOT NULL
  ) STRICT;

  CREATE TABLE counters (
    site TEXT NOT NULL,
    register TEXT NOT NULL,
    interval_ms INTEGER NOT NULL,
    trainable INTEGER NOT NULL,          -- slots that became fit for training, ever
    PRIMARY KEY (site, register, interval_ms)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE quarantine (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    site TEXT NOT NULL,
    agent TEXT NOT NULL,
    seq INTEGER,
    code TEXT NOT NULL,
    reason TEXT NOT NULL,
    received_at INTEGER NOT NULL,
    bytes BLOB NOT NULL
  ) STRICT;

  CREATE TABLE quarantine_counts (
    code TEXT PRIMARY KEY,
    batches INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  `,
  `
  ALTER TABLE agents ADD COLUMN signed INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE agents ADD COLUMN signed_first INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE agents ADD COLUMN signed_last INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE agents ADD COLUMN signed_head BLOB;

  CREATE TABLE signing_keys (
    id INTEGER PRIMARY KEY,
    agent_id INTEGER NOT NULL REFERENCES agents (id),
    keyid TEXT NOT NULL,
    first_position INTEGER NOT NULL,
    UNIQUE (agent_id, keyid)
  ) STRICT;

  CREATE TABLE signed_batches (
    agent_id INTEGER NOT NULL REFERENCES agents (id),
    position INTEGER NOT NULL,           -- from 1 on, in the order of storing
    seq INTEGER NOT NULL,
    key_id INTEGER NOT NULL REFERENCES signing_keys (id),
    digest BLOB NOT NULL,                -- SHA-256 of the packet
    PRIMARY KEY (agent_id, position)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE refusals (
    site TEXT NOT NULL,
    agent TEXT NOT NULL,
    code TEXT NOT NULL,
    batches INTEGER NOT NULL,
    last_at INTEGER NOT NULL,
    PRIMARY KEY (site, agent, code)
  ) STRICT, WITHOUT ROWID;
  `,
]
