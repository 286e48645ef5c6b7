import {
  closeSync,
  copyFileSync,
  existsSync,
  mkdtempSync,
  openSync,
  readdirSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { limits } from '@imlma/protocol/limits'
import { createSigner, verifyEd25519 } from '@imlma/protocol/node'
import { Failure } from '@imlma/protocol/result'
import { bearsSignature, signBatch, verifyBatch } from '@imlma/protocol/trust'
import { parseCborMessage, readingBatchSchema } from '@imlma/protocol/wire'
import { openReadingsDatabase, type ReadingsDatabase } from './database.sqlite.ts'
import { columnOf, everything, outboxContract, parsed } from './outbox.contract.ts'
import { createOutbox, type OutboxOptions } from './outbox.sqlite.ts'

let folder: string
let clock = 0
const opened: ReadingsDatabase[] = []
const now = () => (clock += 1)

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'imlma-outbox-'))
})
afterEach(() => {
  for (const { close } of opened.splice(0)) close()
  rmSync(folder, { recursive: true })
})

const openAt = (name: string, options?: OutboxOptions) => {
  const database = openReadingsDatabase(join(folder, name), now)
  opened.push(database)
  return { database, outbox: createOutbox({ database, now }, options) }
}

outboxContract(() => {
  let current = openAt('readings.db')
  let name = 'readings.db'
  return {
    outbox: current.outbox,
    reopen: () => {
      current.database.close()
      current = openAt(name)
      return current.outbox
    },
    empty: (options) => {
      current.database.close()
      name = 'empty.db'
      current = openAt(name, options)
      return current.outbox
    },
  }
})

const codeOf = (work: () => unknown): string => {
  try {
    work()
  } catch (cause) {
    if (cause instanceof Failure) return cause.code
    throw cause
  }
  return 'nothing thrown'
}

describe('the file of readings', () => {
  const fill = () => {
    const { database, outbox } = openAt('readings.db')
    outbox.acknowledge(0)
    for (let i = 0; i < 50; i++) {
      const values = Array.from({ length: 500 }, (_, slot) => slot + i)
      outbox.append([columnOf('m', values, i * 500)], { historical: false })
    }
    database.close()
  }

  test.each([
    ['is no database', () => writeFileSync(join(folder, 'readings.db'), 'not a database '.repeat(100))],
    [
      'lost its second half',
      () => {
        fill()
        truncateSync(join(folder, 'readings.db'), 40_960)
      },
    ],
    [
      'has a page of something else in its middle',
      () => {
        fill()
        const file = openSync(join(folder, 'readings.db'), 'r+')
        writeSync(file, Buffer.alloc(4_096, 0xa5), 0, 4_096, 8 * 4_096)
        closeSync(file)
      },
    ],
    [
      'was written by a later version',
      () => {
        fill()
        const later = new Database(join(folder, 'readings.db'))
        later.pragma('user_version = 999')
        later.close()
      },
    ],
  ])('that %s is set aside and a new one starts', (_, spoil) => {
    spoil()
    const { database, outbox } = openAt('readings.db')
    expect(database.loss?.movedTo).toContain('readings.db.broken-')
    expect(existsSync(database.loss?.movedTo ?? '')).toBe(true)
    outbox.append([columnOf('m', [1])], { historical: false })
    // A new file must not number before the coordinator has spoken.
    expect(outbox.next(everything)).toEqual([])
    outbox.acknowledge(50)
    expect(outbox.next(everything)[0]?.seq).toBe(51)
  })

  test('gives everything that can be read of it to the new one, and what cannot is counted', () => {
    fill()
    const path = join(folder, 'readings.db')
    const spoilt = new Database(path)
    const page = spoilt
      .prepare(
        `SELECT pageno FROM dbstat WHERE name = 'batches' AND pagetype = 'leaf' ORDER BY pageno LIMIT 1 OFFSET 3`,
      )
      .pluck()
    let leaf = 0
    try {
      leaf = Number(page.get())
    } catch {
      // This SQLite tells nothing of its pages: a page in the middle.
      leaf = 12
    }
    spoilt.close()
    const file = openSync(path, 'r+')
    writeSync(file, Buffer.alloc(4_096, 0xa5), 0, 4_096, (leaf - 1) * 4_096)
    closeSync(file)
    const { database, outbox } = openAt('readings.db')
    const { batches = 0, readings, lostBatches = 0 } = database.loss ?? {}
    expect(batches).toBeGreaterThan(25)
    expect(batches).toBeLessThan(50)
    expect(lostBatches).toBeGreaterThan(0)
    expect(lostBatches).toBeLessThanOrEqual(50 - batches)
    expect(outbox.backlog()).toMatchObject({ batches, readings })
    expect(outbox.next(everything)).toEqual([])
    outbox.acknowledge(0)
    expect(outbox.next(everything).map(parsed)).toHaveLength(batches)
  })

  test('that was only suspected loses nothing, and sends nothing twice under two sequences', () => {
    const { database, outbox } = openAt('readings.db')
    outbox.acknowledge(0)
    for (let i = 0; i < 5; i++)
      outbox.append([columnOf('m', [i], i)], { historical: false, cursor: { source: 's', position: `${i}` } })
    outbox.next({ ...everything, batchesMax: 3 })
    database.toFailure(new Database.SqliteError('malformed', 'SQLITE_CORRUPT'))
    database.close()
    const again = openAt('readings.db')
    expect(again.database.loss).toMatchObject({ batches: 5, readings: 5, lostBatches: 0 })
    expect(again.outbox.position('s')).toBe('4')
    expect(again.outbox.next(everything)).toEqual([])
    // Two of three had arrived.
    again.outbox.acknowledge(2)
    const left = again.outbox.next(everything).map(parsed)
    expect(left.map(({ seq, series }) => [seq, series[0]?.values[0]])).toEqual([
      [3, 2],
      [4, 3],
      [5, 4],
    ])
  })

  test('cut short in its last write has everything before it', () => {
    const { database, outbox } = openAt('readings.db')
    outbox.acknowledge(0)
    for (let i = 0; i < 20; i++) outbox.append([columnOf('m', [i], i)], { historical: false })
    const path = join(folder, 'readings.db')
    const walBytes = statSync(`${path}-wal`).size
    const counts = Array.from({ length: 24 }, (_, cut) => {
      const torn = join(folder, `torn-${cut}.db`)
      copyFileSync(path, torn)
      copyFileSync(`${path}-wal`, `${torn}-wal`)
      truncateSync(`${torn}-wal`, Math.floor((walBytes * cut) / 23) - (cut % 2) * 37)
      const copy = openAt(`torn-${cut}.db`)
      expect(copy.database.loss).toBeUndefined()
      copy.outbox.acknowledge(0)
      const sent = copy.outbox.next(everything).map((each) => parsed(each).series[0]?.values[0])
      expect(sent.toSorted((a, b) => Number(a) - Number(b))).toEqual(sent.map((_value, i) => i))
      return sent.length
    })
    database.close()
    expect(counts.toSorted((a, b) => a - b)).toEqual(counts)
    expect(new Set(counts).size).toBeGreaterThan(10)
  })

  test('that can only be read keeps what it has, sends what has a sequence, and heals', () => {
    const { database, outbox } = openAt('readings.db')
    outbox.acknowledge(0)
    outbox.append([columnOf('m', [1])], { historical: false })
    outbox.next(everything)
    outbox.append([columnOf('m', [2], 1)], { historical: false })
    database.sqlite.pragma('query_only = 1')
    expect(codeOf(() => outbox.append([columnOf('m', [3], 2)], { historical: false }))).toBe('STORE_FAILED')
    expect(outbox.next(everything).map(({ seq }) => seq)).toEqual([1])
    expect(outbox.acknowledge(1).removed).toBe(1)
    expect(codeOf(() => outbox.next(everything))).toBe('STORE_FAILED')
    database.sqlite.pragma('query_only = 0')
    outbox.append([columnOf('m', [3], 2)], { historical: false })
    expect(outbox.next(everything).map(({ seq }) => seq)).toEqual([2, 3])
  })

  test('that is sound opens without a loss', () => {
    fill()
    expect(openAt('readings.db').database.loss).toBeUndefined()
  })

  test('is set aside at the next start when it turned out broken at work', () => {
    const { database } = openAt('readings.db')
    expect(database.toFailure(new Database.SqliteError('malformed', 'SQLITE_CORRUPT')).code).toBe(
      'STORE_CORRUPT',
    )
    database.close()
    expect(openAt('readings.db').database.loss).toBeDefined()
    opened.splice(0).at(-1)?.close()
    expect(openAt('readings.db').database.loss).toBeUndefined()
  })

  test('leaves at most two broken ones behind', () => {
    for (let i = 0; i < 4; i++) {
      writeFileSync(join(folder, 'readings.db'), 'not a database '.repeat(100))
      openAt('readings.db').database.close()
    }
    expect(readdirSync(folder).filter((name) => name.includes('broken'))).toHaveLength(2)
  })

  test('belongs to one process', () => {
    openAt('readings.db').outbox.append([columnOf('m', [1])], { historical: false })
    expect(codeOf(() => openReadingsDatabase(join(folder, 'readings.db'), now))).toBe('STORE_BUSY')
  })

  test('in a folder that cannot be made says so', () => {
    writeFileSync(join(folder, 'file'), '')
    expect(codeOf(() => openReadingsDatabase(join(folder, 'file', 'readings.db'), now))).toBe('STORE_FAILED')
  })

  test('that is full refuses the append, keeps what it has and takes readings again later', () => {
    const { database, outbox } = openAt('readings.db')
    outbox.acknowledge(0)
    outbox.append([columnOf('m', [1])], { historical: false, cursor: { source: 's', position: '1' } })
    const pages = Number(database.sqlite.pragma('page_count', { simple: true }))
    database.sqlite.pragma(`max_page_count = ${pages}`)
    const large = [
      columnOf(
        'm',
        Array.from({ length: 40_000 }, (_, i) => i),
        1,
      ),
    ]
    const append = () => outbox.append(large, { historical: false, cursor: { source: 's', position: '2' } })
    expect(codeOf(append)).toBe('NO_SPACE')
    expect([outbox.position('s'), outbox.backlog().batches]).toEqual(['1', 1])
    database.sqlite.pragma('max_page_count = 100000')
    append()
    expect([outbox.position('s'), outbox.backlog().batches]).toEqual(['2', 2])
  })

  test('a batch that the disk has changed goes, is counted, and does not hold up the others', () => {
    const { database, outbox } = openAt('readings.db')
    outbox.acknowledge(0)
    for (const value of [1, 2, 3]) outbox.append([columnOf('m', [value])], { historical: false })
    database.sqlite.exec(`UPDATE batches SET columns = zeroblob(bytes) WHERE id = 2`)
    expect(
      outbox
        .next(everything)
        .map(parsed)
        .map(({ seq }) => seq),
    ).toEqual([1, 3])
    expect(outbox.backlog()).toMatchObject({ batches: 2, readings: 2, dropped: 1 })
  })
})

describe('an outbox that signs', () => {
  // RFC 8032, section 7.1, TEST 1.
  const signer = createSigner(
    Buffer.from('9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60', 'hex'),
  )
  const publicKey = Buffer.from('d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a', 'hex')
  const address = { site: 'north', agent: 'gw-1' }

  const open = (packet: Uint8Array) => {
    const verified = verifyBatch(address, packet, (...signed) => verifyEd25519(publicKey, ...signed))
    const batch = parseCborMessage(readingBatchSchema, packet, limits.packetBytesMax)
    if (!verified.ok || !batch.ok) return undefined
    return bearsSignature(batch.value, verified.value) ? batch.value : undefined
  }

  test('signs each batch under the sequence that it leaves with, deflated or not', () => {
    const database = openReadingsDatabase(join(folder, 'signed.db'), now)
    opened.push(database)
    const outbox = createOutbox({ database, now, sign: (front) => signBatch(address, front, signer) })
    // Many short columns are deflated on disk, a long one is not.
    outbox.append(
      Array.from({ length: 50 }, (_, i) => columnOf(`m-${i}`, [i])),
      { historical: false },
    )
    outbox.append([columnOf('long', [...Array(500).keys()])], { historical: true })
    const sent = () => outbox.next(everything).map(({ packet }) => open(packet))
    outbox.acknowledge(0)
    expect(sent()).toMatchObject([
      { seq: 1, oldest: 1, historical: false, series: { length: 50 } },
      { seq: 2, oldest: 1, historical: true, series: [{ values: { length: 500 } }] },
    ])
    // Another numbering, and other signatures.
    expect(outbox.acknowledge(100).renumbered).toBe(true)
    expect(sent()).toMatchObject([
      { seq: 101, oldest: 101 },
      { seq: 102, oldest: 101 },
    ])
  })
})
