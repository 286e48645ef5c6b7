/** Files that a person names on the command line: looked at before they are read, so that a wrong one fills no memory. */

import { readFile, stat } from 'node:fs/promises'
import { sha256 } from '@imlma/protocol/node'
import { Failure } from '@imlma/protocol/result'

export interface GivenFile {
  readonly bytes: Uint8Array
  readonly sha256: string
}

/** Throws `Failure` FILE_UNREADABLE, TOO_LARGE. */
export const readGivenFile = async (path: string, bytesMax: number): Promise<GivenFile> => {
  const tooLarge = (size: number): Failure =>
    new Failure('TOO_LARGE', `${path} has ${size} bytes, ${bytesMax} are allowed`, {
      hint: 'is it the right file?',
    })
  try {
    const found = await stat(path)
    if (!found.isFile()) throw new Failure('FILE_UNREADABLE', `${path} is no file`)
    if (found.size > bytesMax) throw tooLarge(found.size)
    const bytes = await readFile(path)
    if (bytes.length > bytesMax) throw tooLarge(bytes.length)
    return { bytes, sha256: sha256(bytes) }
  } catch (cause) {
    if (cause instanceof Failure) throw cause
    throw new Failure('FILE_UNREADABLE', `${path} cannot be read`, { cause, hint: 'check its name' })
  }
}
