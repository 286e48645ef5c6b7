/**
 * The agent's state as one small JSON file that a technician can read. lowdb alone never syncs a file; the adapter here
 * leaves the old content or the new one behind a power cut, never half of it.
 */

import { mkdir, readFile, rename } from 'node:fs/promises'
import { dirname } from 'node:path'
import { Low, type Adapter } from 'lowdb'
import { syncFolder, writeDurably } from '@imlma/protocol/node'
import { agentStateSchema, type AgentState, type StateFile, type Stored } from './agent-state.ts'

/** A file that cannot be read as a state is moved to `<path>.corrupt`, replacing an older one. */
export const openState = async (path: string): Promise<StateFile> => {
  await mkdir(dirname(path), { recursive: true })
  const db = new Low<unknown>(durableJson(path), null)

  const read = async (): Promise<Stored> => {
    try {
      await db.read()
      if (db.data === null) return { kind: 'none' }
      return { kind: 'state', state: agentStateSchema.parse(db.data) }
    } catch (cause) {
      // A disk that cannot be read is not a corrupt file: moving it aside would lose a good state.
      if (cause instanceof Error && 'code' in cause) throw cause
      await rename(path, `${path}.corrupt`)
      await syncFolder(dirname(path))
      return { kind: 'corrupt' }
    }
  }
  const write = async (state: AgentState): Promise<void> => {
    db.data = state
    await db.write()
  }
  return { read, write }
}

const durableJson = (path: string): Adapter<unknown> => ({
  read: async () => {
    const text = await readFile(path, 'utf8').catch(absent)
    // lowdb takes null for "nothing there"; a file that says null is as corrupt as any other.
    return text === undefined ? null : ((JSON.parse(text) as unknown) ?? 'null')
  },
  write: (document) => writeDurably(path, JSON.stringify(document, undefined, 1)),
})

const absent = (cause: unknown): undefined => {
  if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return undefined
  throw cause
}
