/** What lies in the artifact store, as the API hands it out. */

import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { Readable } from 'node:stream'
import type { StoredArtifact } from '../api/control.ts'
import type { StudyState } from '../tuning/study-state.ts'

/** Undefined where there is none of that hash. */
export const openArtifact = async (
  pathOf: (sha256: string) => Promise<string | undefined>,
  sha256: string,
): Promise<StoredArtifact | undefined> => {
  const path = await pathOf(sha256)
  if (path === undefined) return undefined
  const { size } = await stat(path)
  return {
    bytes: size,
    stream: () => Readable.toWeb(createReadStream(path)) as ReadableStream<Uint8Array>,
  }
}

/** Trials of a stored study. */
export const readTrials = (bytes: Uint8Array): number =>
  (JSON.parse(new TextDecoder().decode(bytes)) as StudyState).trials.length
