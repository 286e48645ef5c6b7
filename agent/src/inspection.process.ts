/**
 * What a technician asks on the gateway: `imlma-agent status | verify | models | outbox | logs`. A running agent is asked
 * through its local API, a stopped one is read from its directory; the control centre is needed for neither. Nothing here
 * writes into the directory. `verify` believes nobody: it reads signatures and digests from the disk in either case.
 */

import { readFile } from 'node:fs/promises'
import { request } from 'node:http'
import { join } from 'node:path'
import { z } from 'zod'
import { verifySignature } from '@imlma/protocol/node'
import { Failure } from '@imlma/protocol/result'
import { anchorPathOf, openAnchor } from './anchor.fs.ts'
import { tellInspected } from './inspection-text.ts'
import { agentStateSchema } from './models/agent-state.ts'
import { openRoots } from './models/roots.fs.ts'
import { beginChain, followRoots } from './models/roots.ts'
import { openStore } from './models/store.fs.ts'
import { verifyDisk } from './models/verify-disk.ts'
import { inspectOutbox } from './outbox/inspect.sqlite.ts'
import { runningPathOf } from './running.fs.ts'

type Inspection = 'status' | 'verify' | 'models' | 'outbox' | 'logs'

export interface Inspect {
  readonly what: Inspection
  readonly dataDir: string
  readonly json: boolean
  /** Of the log, the last. */
  readonly lines: number
}

export interface Inspected {
  readonly text: string
  /** False where something on the disk does not hold. */
  readonly ok: boolean
}

export const inspect = async ({ what, dataDir, json, lines }: Inspect): Promise<Inspected> => {
  if (what === 'logs') return { text: await readLog(dataDir, lines), ok: true }
  const { ok, ...found } = await find(what, dataDir)
  return { text: json ? JSON.stringify(found, undefined, 2) : tellInspected(found), ok }
}

const find = async (what: Exclude<Inspection, 'logs'>, dataDir: string) => {
  if (what === 'verify') {
    const files = await verifyModels(dataDir)
    return { ok: files.every((file) => file.ok), files }
  }
  const running = await askRunning(dataDir)
  if (what === 'models') {
    return {
      ok: true,
      running: running !== undefined,
      models: running?.['models'] ?? (await modelsOf(dataDir)),
    }
  }
  const backlog = running?.['backlog'] ?? inspectOutbox(join(dataDir, 'readings.db'))
  if (what === 'outbox') return { ok: true, running: running !== undefined, backlog }
  return running === undefined
    ? { ok: true, running: false, models: await modelsOf(dataDir), backlog }
    : { ok: true, running: true, ...running }
}

/** The status of the agent that runs on this directory; undefined where none answers. */
const askRunning = async (dataDir: string): Promise<Record<string, unknown> | undefined> => {
  const text = await readFile(runningPathOf(dataDir), 'utf8').catch(() => undefined)
  if (text === undefined) return undefined
  try {
    const { api } = runningSchema.parse(JSON.parse(text))
    const status = z.record(z.string(), z.unknown()).parse(JSON.parse(await get(`${api}/status`)))
    // Another one may have the port of an agent that was killed.
    return status['name'] === runningSchema.parse(JSON.parse(text)).name ? status : undefined
  } catch {
    return undefined
  }
}

const runningSchema = z.object({ name: z.string(), api: z.url() })

/** An agent that does not answer in this time is said not to run. */
const answerMsMax = 3_000

const get = (url: string): Promise<string> =>
  new Promise((resolve, reject) => {
    const asked = request(url, { signal: AbortSignal.timeout(answerMsMax) }, (response) => {
      let text = ''
      response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk))
      response.once('end', () => resolve(text)).once('error', reject)
    })
    asked.once('error', reject).end()
  })

/** As the state file says; none where there is no file. */
const modelsOf = async (dataDir: string): Promise<object> => {
  const path = join(dataDir, 'models', 'state.json')
  const text = await readFile(path, 'utf8').catch(() => undefined)
  if (text === undefined) return {}
  try {
    return agentStateSchema.parse(JSON.parse(text)).models
  } catch (cause) {
    throw new Failure('STATE_UNREADABLE', `${path} is no state of an agent`, {
      cause,
      hint: 'the next start rebuilds it from the signed files; imlma-agent verify says which hold',
    })
  }
}

const verifyModels = async (dataDir: string) => {
  const anchor = await openAnchor(anchorPathOf(dataDir), undefined)
  if (anchor === undefined) {
    throw new Failure('NO_ROOT', `${dataDir} holds no trust root, so no model of it is believed`, {
      hint: 'check --data-dir; a first start with --root, or an enrolment, stores one',
    })
  }
  const begun = beginChain(anchor, verifySignature)
  if (!begun.ok) throw new Failure('BAD_ROOT', begun.refusal.message)
  const roots = await openRoots(join(dataDir, 'trust', 'followed-roots.json'))
  const followed = followRoots(begun.value, await roots.read(), verifySignature)
  const store = await openStore({ folder: join(dataDir, 'models') })
  return verifyDisk({ store, chain: followed.ok ? followed.value : begun.value, verify: verifySignature })
}

/** Newest last; what was rotated away comes before what is being written. */
const readLog = async (dataDir: string, lines: number): Promise<string> => {
  const names = ['agent.log', 'agent.1.log', 'agent.2.log', 'agent.3.log']
  let found: string[] = []
  for (const name of names) {
    if (found.length >= lines) break
    const text = await readFile(join(dataDir, 'logs', name), 'utf8').catch(() => '')
    found = [...text.split('\n').filter((line) => line !== ''), ...found]
  }
  if (found.length > 0) return found.slice(-lines).join('\n')
  throw new Failure('NO_LOG', `${dataDir} holds no log`, { hint: 'check --data-dir' })
}
