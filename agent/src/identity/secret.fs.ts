/** Secrets of this agent as files that nobody else may read: a key that others could have read is refused. */

import { mkdir, readFile, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { writeDurably } from '@imlma/protocol/node'
import { Failure } from '@imlma/protocol/result'

/** Undefined where there is none. Throws `Failure` KEY_EXPOSED, KEY_UNREADABLE. */
export const readSecret = async (path: string): Promise<string | undefined> => {
  try {
    const { mode } = await stat(path)
    if ((mode & 0o077) !== 0) throw exposed(path, mode)
    return await readFile(path, 'utf8')
  } catch (cause) {
    if (cause instanceof Failure) throw cause
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return undefined
    throw unreadable(path, cause)
  }
}

/** Durable on return, mode 0600, in a folder that is open to nobody else. Throws `Failure` NO_SPACE, WRITE_FAILED. */
export const writeSecret = async (path: string, content: string): Promise<void> => {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 })
  await writeDurably(path, content, 0o600)
}

export const unreadable = (path: string, cause?: unknown): Failure =>
  new Failure('KEY_UNREADABLE', `${path} is no intact key`, {
    cause,
    hint: `restore the file, or delete the folder it lies in and enrol this gateway anew: imlma pki token --agent NAME at the control centre`,
  })

const exposed = (path: string, mode: number): Failure =>
  new Failure('KEY_EXPOSED', `${path} can be read by others (mode ${(mode & 0o777).toString(8)})`, {
    hint: `chmod 600 ${path}; if others may have read it, delete the folder it lies in and enrol this gateway anew`,
  })
