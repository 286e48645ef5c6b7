/** What a command of `imlma` is: words and options in, a text for people and a document for programs out. */

import type { Manifest } from '@imlma/protocol/manifest'
import type { Result } from '@imlma/protocol/result'
import type { Envelope, KeyScheme, Role, TrustRoot } from '@imlma/protocol/trust'
import type { CommandResult, Command as ProtocolCommand } from '@imlma/protocol/wire'
import type { ChainView } from '../api/views.ts'
import type { ProvenanceMismatch } from '../datasets/verify-provenance.crypto.ts'
import type { ApiClient } from './client.http.ts'
import type { VerifiedExport } from '../audit/export-file.ts'
import type { GivenFile } from './files.fs.ts'
import type { MosquittoExport } from './mosquitto.fs.ts'
import type { Pki } from './pki.fs.ts'
import type { BacktestReport } from '../backtest/report.ts'
import type { Order } from '../trust/command.ts'
import type { KeyFile } from '../trust/keys.fs.ts'
import type { PublicKey } from '../trust/next-root.ts'
import type { RootChange } from '../trust/root-change.ts'
import type { RootProposal } from '../trust/root-office.fs.ts'

export interface Settings {
  readonly url: string
  readonly broker: string
  readonly site: string
  readonly dataDir: string
  /** True where somebody named a coordinator, and the data directory is not meant. */
  readonly urlGiven: boolean
}

export interface Arguments {
  readonly words: readonly string[]
  readonly options: Readonly<Record<string, string | boolean | undefined>>
}

export interface Sending {
  readonly envelope: Envelope
  readonly commandId: string
  readonly site: string
  /** `*` alone is every agent of the site. */
  readonly agents: readonly string[]
  readonly timeoutMs: number
  /** Each answer as it comes. */
  readonly onResult: (agent: string, result: CommandResult) => void
}

/** The final answer of each agent; undefined where none came in time. */
export type Answers = ReadonlyMap<string, CommandResult | undefined>

export interface Context {
  readonly client: ApiClient
  readonly settings: Settings
  /** Progress, to standard error. */
  readonly say: (line: string) => void
  /** A file that was named by the person. Throws `Failure` FILE_UNREADABLE, TOO_LARGE. */
  readonly readFile: (path: string, bytesMax: number) => Promise<GivenFile>
  readonly pause: (ms: number) => Promise<void>
  /** Throws `Failure` BROKER_UNREACHABLE. */
  readonly sendCommand: (sending: Sending) => Promise<Answers>
  readonly audit: AuditRecords
  readonly technician: Technician
  readonly pki: Pki
  /** Writes the files of an outside broker. Throws the `Failure`s of `openAuthority`. */
  readonly exportMosquitto: (given: MosquittoExport) => Promise<{ site: string; files: readonly string[] }>
  readonly roots: Roots
  /** UTC epoch milliseconds. */
  readonly now: () => number
  /** Throws the `Failure`s of a backtest. */
  readonly backtest: (taskPath: string, plotPath?: string) => Promise<Result<BacktestReport>>
}

/** `provenance` is there where the chain of events is intact: a broken one says nothing about datasets. */
export interface VerifiedRecords extends ChainView {
  readonly provenance?: RecomputedProvenance
}

/** The signed batches of all datasets, recomputed; each batch counts once. */
export interface RecomputedProvenance {
  /** Datasets with signed parts. */
  readonly datasets: number
  readonly agents: number
  readonly batches: number
  readonly signaturesVerified: number
  /** Batches whose bytes were pruned: the chain holds their digests. */
  readonly digestOnly: number
  /** Agents with a part in a dataset that carries no signatures. */
  readonly unsigned: readonly string[]
  readonly mismatches: readonly ProvenanceMismatch[]
}

/** The records in a data directory itself; each throws `Failure` NO_REGISTRY and those of the files. */
export interface AuditRecords {
  readonly verifyLocally: (dataDir: string, site: string) => Promise<VerifiedRecords>
  /** Events from `from` to `to`, UTC epoch milliseconds, into a new file. */
  readonly exportLocally: (
    target: { dataDir: string; site: string; path: string; now: number },
    range: { readonly from: number; readonly to: number },
  ) => Promise<{ readonly path: string; readonly events: number; readonly sha256: string }>
  readonly verifyExported: (bytes: Uint8Array) => Promise<Result<VerifiedExport>>
}

/** What is done with a technician's key; each throws the `Failure`s of key files. */
export interface Technician {
  readonly create: (path: string, name: string, schemes: readonly KeyScheme[]) => Promise<KeyFile>
  readonly read: (path: string) => Promise<KeyFile>
  /** Removes a key that nobody trusts yet. */
  readonly discard: (path: string) => Promise<void>
  /** Signed with each key, its counters on disk before. */
  readonly sign: (
    keyPaths: readonly string[],
    order: Order,
  ) => Promise<{ commandId: string; envelope: Envelope; by: readonly string[] }>
  /** A command that waits for further people; nothing of it is verified. */
  readonly readPending: (path: string) => Promise<Result<PendingCommand>>
  readonly writePending: (path: string, envelope: Envelope) => Promise<void>
  /** The same command with one more signature. Refused with COUNTER_PASSED, EXPIRED. */
  readonly approve: (
    keyPath: string,
    pending: PendingCommand,
  ) => Promise<Result<{ envelope: Envelope; by: string }>>
  /** Adds the key to the trust root in the data directory; without an envelope where it was known already. */
  readonly enrol: (dataDir: string, key: KeyFile) => Promise<Result<{ version: number; envelope?: Envelope }>>
}

export interface PendingCommand {
  readonly envelope: Envelope
  readonly command: ProtocolCommand
}

/** The trust root of the data directory; each throws the `Failure`s of key files and of the chain of roots. */
export interface Roots {
  readonly read: (dataDir: string) => Promise<TrustRoot>
  /** A key file, or its public half. */
  readonly publicKey: (path: string) => Promise<PublicKey>
  /** A new key for the role, durable in the data directory, which nobody trusts yet. */
  readonly makeKey: (dataDir: string, role: Role, root: TrustRoot) => Promise<PublicKey>
  readonly propose: (
    dataDir: string,
    change: RootChange,
    options: { readonly keyPaths: readonly string[]; readonly out: string | undefined },
  ) => Promise<Result<RootProposal>>
  readonly sign: (dataDir: string, path: string, keyPaths: readonly string[]) => Promise<Result<RootProposal>>
  /** What a proposal says; nothing of it is verified. */
  readonly proposed: (path: string) => Promise<Result<TrustRoot>>
  readonly create: (dataDir: string, first: FirstRoot) => Promise<Result<RootProposal>>
  /** What a version that waits for release signatures claims to be. Refused with NOT_PENDING. */
  readonly pendingRelease: (dataDir: string, model: string, version: number) => Promise<Result<Manifest>>
  /** One more signature on it. Refused with NOT_PENDING, NOT_AUTHORISED. */
  readonly approveRelease: (
    dataDir: string,
    model: string,
    version: number,
    keyPath: string,
  ) => Promise<Result<{ by: string; persons: number; needed: number }>>
}

export interface FirstRoot {
  /** Key files, or public halves of those who sign later. */
  readonly rootKeys: readonly string[]
  readonly releaseKeys: readonly string[]
  readonly technicianKeys: readonly string[]
  readonly thresholds: Readonly<Partial<Record<Role, number>>>
  readonly groupThreshold: number | undefined
  readonly schemes: readonly KeyScheme[]
  readonly expiresAt: number
  readonly out: string | undefined
}

export interface Outcome {
  readonly text: string
  readonly json: unknown
}

export interface Command {
  /** `status`, `keys new`. */
  readonly name: string
  readonly summary: string
  readonly words?: readonly { readonly name: string; readonly about: string; readonly optional?: boolean }[]
  readonly options?: readonly {
    readonly flags: string
    readonly about: string
    readonly required?: boolean
  }[]
  readonly example: string
  /** A refusal ends with exit code 1; a `Failure` by its code. */
  readonly run: (context: Context, given: Arguments) => Promise<Result<Outcome>>
}
