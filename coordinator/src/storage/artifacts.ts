/** Models, datasets and signed envelopes by the SHA-256 of their content. */

export interface ArtifactStore {
  /** Takes a finished file over (moved, not copied, where it can be); its hash is computed here. */
  readonly adopt: (path: string) => Promise<{ readonly sha256: string; readonly bytes: number }>
  readonly put: (content: Uint8Array) => Promise<{ readonly sha256: string; readonly bytes: number }>
  /** Path of the stored file, undefined where there is none. Not verified: whoever uses it verifies. */
  readonly path: (sha256: string) => Promise<string | undefined>
  /** The whole content, verified. Throws `Failure` ARTIFACT_CHANGED, ARTIFACT_MISSING. */
  readonly get: (sha256: string) => Promise<Uint8Array>
  /** A range as it lies on disk, and the total size; the receiver verifies the whole. */
  readonly range: (
    sha256: string,
    offset: number,
    length: number,
  ) => Promise<{ readonly bytes: Uint8Array; readonly total: number } | undefined>
}
