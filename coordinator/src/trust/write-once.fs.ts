/** Creates a file that must not be there yet, whole or not at all: keys and trust roots are never overwritten. */

import { randomUUID } from 'node:crypto'
import { link, mkdir, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { syncFolder, writeDurably } from '@imlma/protocol/node'
import { accept, refuse, type Result } from '@imlma/protocol/result'

/** Durable on return. Throws `Failure` NO_SPACE, WRITE_FAILED. */
export const writeOnce = async (
  path: string,
  content: string,
  mode: number,
): Promise<Result<void, 'EXISTS'>> => {
  await mkdir(dirname(path), { recursive: true })
  const draft = `${path}.${randomUUID()}.draft`
  await writeDurably(draft, content, mode)
  try {
    // A link, unlike a rename, fails where the name is taken.
    await link(draft, path)
    await syncFolder(dirname(path))
    return accept(undefined)
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'EEXIST') {
      return refuse('EXISTS', `${path} is there already`)
    }
    throw cause
  } finally {
    await rm(draft, { force: true })
  }
}
