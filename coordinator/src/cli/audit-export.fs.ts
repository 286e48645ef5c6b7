/** Writes the events of a data directory into one file that proves itself, and verifies such a file. */

import { createHash } from 'node:crypto'
import { open } from 'node:fs/promises'
import { dirname } from 'node:path'
import { sha256, syncFolder, verifySignature } from '@imlma/protocol/node'
import { Failure, type Result } from '@imlma/protocol/result'
import type { Envelope } from '@imlma/protocol/trust'
import { readCheckpoints } from '../audit/checkpoint-file.fs.ts'
import {
  toEventLine,
  toHeaderLine,
  toSealLine,
  verifyExport,
  type VerifiedExport,
} from '../audit/export-file.ts'
import { layoutOf } from '../layout.ts'
import { emptyHead, type ChainHead } from '../registry/chain.ts'
import { rootsFolderOf } from '../trust/establish.fs.ts'
import { openRootChain } from '../trust/roots.fs.ts'
import { openHistory, rowsOf, type Database } from './audit.fs.ts'

/** Bounds of an export: UTC epoch milliseconds, both inclusive. */
interface ExportRange {
  readonly from: number
  readonly to: number
}

interface Exported {
  readonly path: string
  readonly events: number
  readonly sha256: string
}

/** Writes the events of the range, durable on return. Throws `Failure` NO_REGISTRY, NOTHING_FOUND, WRITE_FAILED. */
export const exportLocally = async (
  { dataDir, site, path, now }: { dataDir: string; site: string; path: string; now: number },
  { from, to }: ExportRange,
): Promise<Exported> => {
  const db = await openHistory(dataDir)
  try {
    const bounds = await db
      .selectFrom('events')
      .select(({ fn }) => [fn.min('seq').as('first'), fn.max('seq').as('last')])
      .where('at', '>=', from)
      .where('at', '<=', to)
      .executeTakeFirst()
    const [first, last] = [bounds?.first ?? 0, bounds?.last ?? 0]
    if (first === 0) {
      throw new Failure('NOTHING_FOUND', 'no event lies in that time', { hint: 'check --from and --to' })
    }
    const behind = await db
      .selectFrom('events')
      .select(['seq', 'hash'])
      .where('seq', '=', first - 1)
      .executeTakeFirst()
    const chain = await openRootChain(rootsFolderOf(layoutOf(dataDir).trust))
    const checkpoints = (await readCheckpoints(layoutOf(dataDir).checkpoints)).filter(
      (each) => each !== undefined,
    )
    const seal = { checkpoints, roots: chain.envelopes() }
    const lines = linesOf(db, { behind: behind ?? emptyHead, first, last, site, now })
    return { path, ...(await writeSealed(path, lines, seal)) }
  } finally {
    await db.destroy()
  }
}

async function* linesOf(
  db: Database,
  {
    behind,
    first,
    last,
    site,
    now,
  }: { behind: ChainHead; first: number; last: number; site: string; now: number },
) {
  yield toHeaderLine(site, behind, now)
  for await (const row of rowsOf(db, first, last)) yield toEventLine(row)
}

const writeSealed = async (
  path: string,
  lines: AsyncIterable<string>,
  seal: { readonly checkpoints: readonly Envelope[]; readonly roots: readonly Envelope[] },
): Promise<Omit<Exported, 'path'>> => {
  const hash = createHash('sha256')
  let count = 0
  try {
    const file = await open(path, 'wx', 0o600)
    try {
      for await (const line of lines) {
        hash.update(`${line}\n`)
        count += 1
        await file.appendFile(`${line}\n`)
      }
      const digest = hash.digest('hex')
      await file.appendFile(`${toSealLine({ events: count - 1, ...seal, sha256: digest })}\n`)
      await file.sync()
      await syncFolder(dirname(path))
      return { events: count - 1, sha256: digest }
    } finally {
      await file.close()
    }
  } catch (cause) {
    throw new Failure('WRITE_FAILED', `could not write ${path}`, {
      cause,
      hint: 'name a new file in a folder that you may write to; an existing one is never replaced',
    })
  }
}

/** Whether an exported file holds by itself. */
export const verifyExported = (bytes: Uint8Array): Result<VerifiedExport> =>
  verifyExport(new TextDecoder().decode(bytes), { hash: sha256, verify: verifySignature })
