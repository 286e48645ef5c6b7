/** The records of a data directory, verified from the files alone: also where the control centre is stopped. */

import { access } from 'node:fs/promises'
import { verifySignature } from '@imlma/protocol/node'
import { Failure } from '@imlma/protocol/result'
import type { Envelope } from '@imlma/protocol/trust'
import { agentsWithLogs, followLog, readIndex } from '../audit/agent-logs.fs.ts'
import { readCheckpoints } from '../audit/checkpoint-file.fs.ts'
import { followRoots } from '../audit/export-file.ts'
import { openPlace, placeFault, type SignedPlace } from '../audit/signed-places.ts'
import { layoutOf } from '../layout.ts'
import { toChainedEvent } from '../registry/chain.ts'
import { createHeadFile } from '../registry/head.fs.ts'
import { verifyRegistry } from '../registry/verify.kysely.ts'
import { openDatabase } from '../storage/database.sqlite.ts'
import { rootsFolderOf } from '../trust/establish.fs.ts'
import { openRootChain } from '../trust/roots.fs.ts'
import { recomputeProvenance } from './audit-provenance.fs.ts'
import type { VerifiedRecords } from './command.ts'

/** A control centre that writes while the chain is read looks like a fault; a real one is still there the next time. */
const looksMax = 3
/** Events read at a time. */
const pageRows = 1_000

export type Database = ReturnType<typeof openDatabase>

/** Throws `Failure` NO_REGISTRY. */
export const openHistory = async (dataDir: string): Promise<Database> => {
  const { registry: path } = layoutOf(dataDir)
  // Opening would make an empty one, which is always intact.
  await access(path).catch((cause: unknown) => {
    throw new Failure('NO_REGISTRY', `there is no registry.db in ${dataDir}`, {
      cause,
      hint: 'name the data directory with --data-dir, or ask a control centre with --url',
    })
  })
  return openDatabase(path)
}

/**
 * Chain, projections, head, signed places, agents' logs, and the signed batches of every dataset. `site` counts where the
 * store of readings holds several. Throws `Failure` NO_REGISTRY, and those of the files.
 */
export const verifyLocally = async (dataDir: string, site: string): Promise<VerifiedRecords> => {
  const db = await openHistory(dataDir)
  const head = createHeadFile(layoutOf(dataDir).registryHead)
  try {
    for (let look = 1; ; look += 1) {
      const verified = await verifyRegistry(db, await head.read())
      const fault = verified.ok ? await findFault(db, dataDir, verified.value.events) : verified.refusal
      if (fault === undefined && verified.ok) {
        const rows = rowsOf(db, 1, verified.value.events)
        const provenance = await recomputeProvenance(rows, layoutOf(dataDir), site)
        return { intact: true, ...verified.value, fault: null, provenance }
      }
      if (look === looksMax && fault !== undefined) {
        const { code, message } = fault
        return { intact: false, events: 0, headHash: null, fault: { code, message } }
      }
    }
  } finally {
    await db.destroy()
  }
}

interface Fault {
  readonly code: string
  readonly message: string
}

const findFault = async (db: Database, dataDir: string, lastSeq: number): Promise<Fault | undefined> => {
  const hashes = new Map<number, string>()
  const anchors = new Map<string, { entry: number; head: string }[]>()
  const signed: (Envelope | undefined)[] = [...(await readCheckpoints(layoutOf(dataDir).checkpoints))]
  for await (const row of rowsOf(db, 1, lastSeq)) {
    hashes.set(row.seq, row.hash)
    const { event } = toChainedEvent(row)
    if (event.kind === 'checkpoint-signed') signed.push(event.envelope)
    if (event.kind === 'agent-log-kept') {
      const key = `${event.agent}/${event.log}`
      anchors.set(key, [...(anchors.get(key) ?? []), { entry: event.entry, head: event.head }])
    }
  }
  const places = await openPlaces(dataDir, signed)
  if ('code' in places) return places
  const fault = placeFault(places.list, hashes, lastSeq)
  if (fault !== undefined)
    return { code: 'CHAIN_BROKEN', message: `first bad event ${fault.seq}: ${fault.message}` }
  return findLogFault(layoutOf(dataDir).agentLogs, anchors)
}

const openPlaces = async (
  dataDir: string,
  envelopes: readonly (Envelope | undefined)[],
): Promise<{ readonly list: readonly SignedPlace[] } | Fault> => {
  if (envelopes.length === 0) return { list: [] }
  const chain = await openRootChain(rootsFolderOf(layoutOf(dataDir).trust))
  const roots = followRoots(chain.envelopes(), verifySignature)
  if (!roots.ok) return roots.refusal
  const list: SignedPlace[] = []
  for (const envelope of envelopes) {
    const place = openPlace(envelope, roots.value, verifySignature)
    if (!place.ok) return { code: place.refusal.code, message: place.refusal.message }
    list.push(place.value)
  }
  return { list }
}

/** Every place that the registry names must be in one of the branches of that log, and every branch must hold. */
const findLogFault = async (
  folder: string,
  anchors: ReadonlyMap<string, readonly { entry: number; head: string }[]>,
): Promise<Fault | undefined> => {
  const found = new Map<string, Set<string>>()
  for (const agent of await agentsWithLogs(folder)) {
    for (const log of await readIndex(folder, agent)) {
      const hashes = found.get(`${agent}/${log.log}`) ?? new Set([log.base.hash])
      found.set(`${agent}/${log.log}`, hashes.add(log.base.hash))
      const { fault } = await followLog(folder, agent, log, ({ hash }) => hashes.add(hash))
      if (fault !== undefined) return { code: 'AGENT_LOG_BROKEN', message: `the log of ${agent}: ${fault}` }
    }
  }
  for (const [key, places] of anchors) {
    const missing = places.find(({ head }) => found.get(key)?.has(head) !== true)
    if (missing !== undefined) {
      return {
        code: 'AGENT_LOG_BROKEN',
        message: `the log ${key} was stored up to entry ${missing.entry}, which is gone`,
      }
    }
  }
  return undefined
}

export async function* rowsOf(db: Database, fromSeq: number, toSeq: number) {
  for (let seq = fromSeq; seq <= toSeq;) {
    const rows = await db
      .selectFrom('events')
      .selectAll()
      .where('seq', '>=', seq)
      .where('seq', '<=', toSeq)
      .orderBy('seq')
      .limit(pageRows)
      .execute()
    if (rows.length === 0) return
    yield* rows
    seq = (rows.at(-1)?.seq ?? toSeq) + 1
  }
}
