/** What an agent was told, in words of the registry: versions by their signatures. */

/** A signed version, named by its envelope and its artifact. */
export interface SignedVersion {
  readonly version: number
  readonly envelopeSha256: string
  readonly artifactSha256: string
}

/** One model's place in an assignment: what is served, and what runs in shadow beside it. */
export interface AssignedVersion extends SignedVersion {
  readonly shadow?: SignedVersion | undefined
}

/** What an agent was last told. `counter` grows with every telling. */
export interface Assignment {
  readonly counter: number
  readonly issuedAt: number
  readonly rootVersion: number
  readonly models: Readonly<Record<string, AssignedVersion>>
}
