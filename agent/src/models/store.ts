/**
 * Where models lie on a gateway: `<sha256>.onnx` beside `<sha256>.manifest.json`, the signed envelope that came with it.
 * The store knows digests and files; whether a signature may be believed is `installed.ts`'s question.
 */

import type { Result } from '@imlma/protocol/result'
import type { Envelope } from '@imlma/protocol/trust'

/** An artifact on its way. Bytes are appended in order, so that its size says where to go on after a power cut. */
export interface PartialFile {
  readonly bytes: () => number
  /** Throws `Failure` NO_SPACE, WRITE_FAILED. */
  readonly append: (chunk: Uint8Array) => Promise<void>
  /** Starts again from nothing. */
  readonly empty: () => Promise<void>
  /** What was appended is on disk. */
  readonly close: () => Promise<void>
}

export interface ModelStore {
  /** Throws `Failure` NO_SPACE, WRITE_FAILED. */
  readonly saveManifest: (sha256: string, envelope: Envelope) => Promise<void>
  /** The envelope as it lies there, not verified; undefined where there is none or it cannot be read as one. */
  readonly manifest: (sha256: string) => Promise<Envelope | undefined>
  /** Every digest that has a manifest. */
  readonly digests: () => Promise<readonly string[]>
  /** Digests that carry the mark of a quarantine: it outlives the state file. */
  readonly quarantined: () => Promise<readonly string[]>
  /** True when there is an artifact of this name; what is in it is `verify`'s question. */
  readonly has: (sha256: string) => Promise<boolean>
  /** Hashes the artifact as it lies there; its path where it is what its name says. */
  readonly verify: (sha256: string) => Promise<Result<string, 'NOT_ON_DISK' | 'DIGEST_MISMATCH'>>
  /** Makes room for an artifact of this size, and opens it where it stopped. */
  readonly openPartial: (
    sha256: string,
    bytes: number,
  ) => Promise<Result<PartialFile, 'TOO_LARGE' | 'NO_SPACE'>>
  /** Hashes what was fetched and gives it its name; what is not itself is removed. Without a partial as `verify`. */
  readonly admit: (
    sha256: string,
  ) => Promise<Result<string, 'BAD_DIGEST' | 'NOT_ON_DISK' | 'DIGEST_MISMATCH'>>
  /** Moves a damaged file out of the way; one is kept to be looked at. */
  readonly setAside: (sha256: string, what: 'artifact' | 'manifest') => Promise<void>
  /** Removes the artifact for good and marks the digest. */
  readonly quarantine: (sha256: string) => Promise<void>
  /** Removes everything of this digest but a mark of quarantine. */
  readonly discard: (sha256: string) => Promise<void>
  /**
   * Removes what is not needed; unless room is wanted (`none`), but for a few of the latest others: a technician may want
   * them. What is needed stays in any case.
   */
  readonly prune: (needed: readonly string[], keep?: 'latest' | 'none') => Promise<void>
}
