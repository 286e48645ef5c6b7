/**
 * The logs of all agents as they came: `<agent>/<log>.<branch>.ndjson`, appended to and durable before anything is
 * acknowledged. What an agent drops or loses is still here.
 */

import { mkdir, open, readdir, readFile, truncate } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import {
  auditEntrySchema,
  auditHeadOf,
  auditHeadSchema,
  entryFault,
  type AuditEntry,
} from '@imlma/protocol/audit'
import { sha256, syncFolder, writeDurably } from '@imlma/protocol/node'
import { Failure } from '@imlma/protocol/result'
import { nameSchema } from '@imlma/protocol/wire'
import type { StoredLog } from './page.ts'

/** Logs and branches of one agent: every one is an alert that somebody has looked at. */
const logsMax = 256

const indexSchema = z.object({
  v: z.literal(1),
  /** Oldest first, each with the place behind which it begins. */
  logs: z
    .array(z.object({ log: nameSchema, branch: z.number().int().min(1), base: auditHeadSchema }))
    .max(logsMax),
})
type IndexedLog = z.infer<typeof indexSchema>['logs'][number]

export interface AgentLogs {
  /** The one that is written to; undefined before the first page. Throws `Failure` AGENT_LOG_BROKEN. */
  readonly latest: (agent: string) => Promise<StoredLog | undefined>
  /** Durable on return. Throws `Failure` AGENT_LOG_FULL, NO_SPACE, WRITE_FAILED. */
  readonly begin: (agent: string, log: StoredLog) => Promise<void>
  /** Durable on return. Throws as `begin`. */
  readonly append: (agent: string, log: StoredLog, entries: readonly AuditEntry[]) => Promise<void>
}

interface Options {
  readonly folder: string
  /** Bytes of one agent's file: centuries of an ordinary agent, and an end for one that floods. */
  readonly bytesMax?: number
}

export const createAgentLogs = ({ folder, bytesMax = 268_435_456 }: Options): AgentLogs => ({
  latest: async (agent) => {
    const last = (await readIndex(folder, agent)).at(-1)
    if (last === undefined) return undefined
    const found = await followLog(folder, agent, last)
    if (found.fault !== undefined) throw broken(agent, found.fault)
    // Half a line of a power cut was not acknowledged: it comes again.
    if (found.tornBytes > 0) await truncate(pathOf(folder, agent, last), found.bytes)
    return { log: last.log, branch: last.branch, head: found.head }
  },
  begin: async (agent, { log, branch, head }) => {
    const logs = await readIndex(folder, agent)
    if (logs.length >= logsMax) throw full(agent, `${logsMax} logs and branches are stored`)
    await mkdir(join(folder, agent), { recursive: true })
    await writeDurably(
      join(folder, agent, 'index.json'),
      `${JSON.stringify({ v: 1, logs: [...logs, { log, branch, base: head }] })}\n`,
    )
  },
  append: async (agent, log, entries) => {
    if (entries.length === 0) return
    const path = pathOf(folder, agent, log)
    const file = await open(path, 'a').catch((cause: unknown) => {
      throw unwritten(path, cause)
    })
    try {
      const { size } = await file.stat()
      const text = entries.map((entry) => `${JSON.stringify(entry)}\n`).join('')
      if (size + text.length > bytesMax) throw full(agent, `${path} has ${size} bytes`)
      await file.appendFile(text).catch(async (cause: unknown) => {
        await file.truncate(size)
        throw cause
      })
      await file.sync()
      if (size === 0) await syncFolder(join(folder, agent))
    } catch (cause) {
      throw cause instanceof Failure ? cause : unwritten(path, cause)
    } finally {
      await file.close()
    }
  },
})

interface FollowedLog {
  readonly head: StoredLog['head']
  /** Of the whole lines. */
  readonly bytes: number
  readonly tornBytes: number
  readonly fault: string | undefined
}

/** Follows one stored log from its first entry; `visit` sees each that holds. */
export const followLog = async (
  folder: string,
  agent: string,
  log: IndexedLog,
  visit: (entry: AuditEntry) => void = () => undefined,
): Promise<FollowedLog> => {
  const bytes = await readFile(pathOf(folder, agent, log)).catch(noFile)
  const end = bytes.lastIndexOf(0x0a) + 1
  let { base: head } = log
  const answer = (fault?: string): FollowedLog => ({
    head,
    bytes: end,
    tornBytes: bytes.byteLength - end,
    fault,
  })
  for (const line of bytes.subarray(0, end).toString('utf8').split('\n').slice(0, -1)) {
    const entry = parseEntry(line)
    if (entry === undefined) return answer(`the line behind entry ${head.seq} is no entry`)
    const fault = entryFault(head, entry, sha256)
    if (fault !== undefined) return answer(fault)
    head = auditHeadOf(entry)
    visit(entry)
  }
  return answer()
}

/** Oldest first. Throws `Failure` AGENT_LOG_BROKEN. */
export const readIndex = async (folder: string, agent: string): Promise<readonly IndexedLog[]> => {
  const text = await readFile(join(folder, agent, 'index.json'), 'utf8').catch((cause: unknown) => {
    if (isAbsent(cause)) return undefined
    throw cause
  })
  if (text === undefined) return []
  try {
    return indexSchema.parse(JSON.parse(text)).logs
  } catch (cause) {
    throw broken(agent, 'index.json does not name its logs', cause)
  }
}

/** Agents of whom there is a log. */
export const agentsWithLogs = async (folder: string): Promise<readonly string[]> =>
  (await readdir(folder).catch(() => [])).filter((name) => nameSchema.safeParse(name).success).toSorted()

const pathOf = (folder: string, agent: string, { log, branch }: Pick<StoredLog, 'log' | 'branch'>): string =>
  join(folder, agent, `${log}.${branch}.ndjson`)

const parseEntry = (line: string): AuditEntry | undefined => {
  try {
    return auditEntrySchema.parse(JSON.parse(line))
  } catch {
    return undefined
  }
}

const isAbsent = (cause: unknown): boolean =>
  cause instanceof Error && 'code' in cause && cause.code === 'ENOENT'

const noFile = (cause: unknown): Buffer => {
  if (isAbsent(cause)) return Buffer.alloc(0)
  throw cause
}

const broken = (agent: string, message: string, cause?: unknown): Failure =>
  new Failure('AGENT_LOG_BROKEN', `the stored log of ${agent} was changed: ${message}`, {
    cause,
    hint: 'keep the folder agent-logs for analysis and restore it from a backup; the agent sends what it still holds',
  })

const full = (agent: string, message: string): Failure =>
  new Failure('AGENT_LOG_FULL', `no more is stored of the log of ${agent}: ${message}`, {
    hint: 'look at what this agent records; then move its folder below agent-logs to an archive',
  })

const unwritten = (path: string, cause: unknown): Failure => {
  const code = cause instanceof Error && 'code' in cause ? cause.code : undefined
  return new Failure(code === 'ENOSPC' ? 'NO_SPACE' : 'WRITE_FAILED', `could not write ${path}`, {
    cause,
    retryable: true,
    hint: 'free disk space; the agent keeps what is not acknowledged',
  })
}
