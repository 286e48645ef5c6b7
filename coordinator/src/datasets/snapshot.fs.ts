/** Snapshots on disk: written once under their own hash, verified before anything is used. */
import { createHash } from 'node:crypto'
import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { writeDurably } from '@imlma/protocol/node'
import { Failure } from '@imlma/protocol/result'
import { decodeSnapshot, encodeSnapshot, type SnapshotContent } from './snapshot.ts'

export interface FrozenSnapshot {
  readonly path: string
  readonly sha256: string
  readonly bytes: number
}

/** Writes `{folder}/{sha256}` durably. The same content again is the same file. */
export const freezeSnapshot = async (
  { folder }: { readonly folder: string },
  content: SnapshotContent,
): Promise<FrozenSnapshot> => {
  const bytes = encodeSnapshot(content)
  const sha256 = createHash('sha256').update(bytes).digest('hex')
  const path = join(folder, sha256)
  await mkdir(folder, { recursive: true })
  await writeDurably(path, bytes)
  return { path, sha256, bytes: bytes.length }
}

/** The content, if its bytes are still those that were frozen. Throws `Failure` DATASET_CHANGED, DATASET_MISSING. */
export const openSnapshot = async (path: string, expectedSha256: string): Promise<SnapshotContent> => {
  let bytes: Uint8Array
  try {
    bytes = await readFile(path)
  } catch (cause) {
    throw new Failure('DATASET_MISSING', `the snapshot ${path} cannot be read`, {
      cause,
      hint: 'freeze a new snapshot: start the training again',
    })
  }
  const sha256 = createHash('sha256').update(bytes).digest('hex')
  const content = sha256 === expectedSha256 ? decodeSnapshot(bytes) : undefined
  if (content?.ok) return content.value
  throw new Failure(
    'DATASET_CHANGED',
    `the snapshot ${path} is not the one that was frozen (SHA-256 ${sha256})`,
    {
      hint: 'somebody or a failing disk changed the file: find out who before training again from a new snapshot',
    },
  )
}
