/**
 * Changes of the trust root on disk: proposed, signed by one root holder after the other, and taken into the chain when
 * enough have signed. Until then a proposal is a file that grants nothing: it may travel by mail or on a stick.
 *
 *   change ─propose▶ <file>.pending.json ─sign▶ … ─enough▶ roots/<n+1>.json
 */

import { readFile } from 'node:fs/promises'
import { verifySignature, writeDurably } from '@imlma/protocol/node'
import { accept, Failure, refuse, type Result } from '@imlma/protocol/result'
import {
  cosignEnvelope,
  openEnvelope,
  openFirstRoot,
  parseEnvelope,
  rootPayloadType,
  rootSchema,
  sealEnvelope,
  type Envelope,
  type Signer,
  type TrustRoot,
} from '@imlma/protocol/trust'
import { findKeyFile, keyPathOf, rootsFolderOf } from './establish.fs.ts'
import { readKeyFile, toSigner } from './keys.fs.ts'
import {
  changeRoot,
  isComplete,
  rootSignatures,
  type RootChange,
  type RootSignatures,
} from './root-change.ts'
import { openRootChain, type RootChain } from './roots.fs.ts'
import { writeOnce } from './write-once.fs.ts'

export interface RootProposal {
  readonly version: number
  readonly envelope: Envelope
  readonly signatures: readonly RootSignatures[]
  /** Where it waits for signatures; undefined once it is the root in force. */
  readonly pending?: string
}

/** `folder` is `<dataDir>/trust`. Throws `Failure` TRUST_MISSING, TRUST_BROKEN. */
export const readRoot = async (folder: string): Promise<TrustRoot> =>
  (await openRootChain(rootsFolderOf(folder))).current()

/**
 * The changed root, signed with the keys at `keyPaths` (the site's own root key where there are none), in force where
 * that is enough, else left at `out`. Throws the `Failure`s of key files and of the chain.
 */
export const proposeRoot = async (
  folder: string,
  change: RootChange,
  { keyPaths, out }: { readonly keyPaths: readonly string[]; readonly out: string | undefined },
): Promise<Result<RootProposal>> => {
  const chain = await openRootChain(rootsFolderOf(folder))
  const next = changeRoot(chain.current(), change)
  if (!next.ok) return next
  const envelope = sealEnvelope(
    rootPayloadType,
    next.value,
    await rootSigners(folder, chain.current(), keyPaths),
  )
  return settle(chain, envelope, out ?? `root-${next.value.version}.pending.json`)
}

/** One more signature on a proposal, which comes into force where that is enough. */
export const signRoot = async (
  folder: string,
  path: string,
  keyPaths: readonly string[],
): Promise<Result<RootProposal>> => {
  const proposal = await readProposal(path)
  if (!proposal.ok) return proposal
  const signers = await Promise.all(keyPaths.map(async (keyPath) => toSigner(await readKeyFile(keyPath))))
  const envelope = cosignEnvelope(proposal.value, signers)
  if (await isFirst(folder)) return settleFirst(folder, envelope, path)
  return settle(await openRootChain(rootsFolderOf(folder)), envelope, path)
}

/** The first root of a site: refused with EXISTS where there is one. */
export const createRoot = async (
  folder: string,
  root: TrustRoot,
  { signers, out }: { readonly signers: readonly Signer[]; readonly out: string | undefined },
): Promise<Result<RootProposal>> => {
  if (!(await isFirst(folder))) {
    return refuse(
      'EXISTS',
      `${folder} holds a trust root`,
      'change it with imlma root add, set, rotate, revoke',
    )
  }
  const first = changeRoot({ ...root, version: 0 }, { kind: 'set' })
  if (!first.ok) return first
  return settleFirst(
    folder,
    sealEnvelope(rootPayloadType, first.value, signers),
    out ?? 'root-1.pending.json',
  )
}

const settle = async (chain: RootChain, envelope: Envelope, path: string): Promise<Result<RootProposal>> => {
  const sides = rootSignatures(chain.current(), envelope, verifySignature)
  if (!sides.ok) return sides
  const version = chain.current().version + 1
  const proposed = openEnvelope(envelope, { payloadType: rootPayloadType, schema: rootSchema })
  if (!proposed.ok) return proposed
  if (proposed.value.version !== version) {
    return refuse(
      'REPLAYED',
      `it proposes version ${proposed.value.version}, and the next one is ${version}`,
      'another root was signed meanwhile: propose the change anew',
    )
  }
  const proposal = { version, envelope, signatures: sides.value }
  if (!isComplete(sides.value)) return leave(proposal, path)
  const taken = await chain.accept(envelope)
  return taken.ok ? accept({ ...proposal, version: taken.value.version }) : taken
}

const settleFirst = async (
  folder: string,
  envelope: Envelope,
  path: string,
): Promise<Result<RootProposal>> => {
  const sides = rootSignatures(undefined, envelope, verifySignature)
  if (!sides.ok) return sides
  const proposal = { version: 1, envelope, signatures: sides.value }
  if (!isComplete(sides.value)) return leave(proposal, path)
  const opened = openFirstRoot(envelope, verifySignature)
  if (!opened.ok) return opened
  const written = await writeOnce(`${rootsFolderOf(folder)}/1.json`, `${JSON.stringify(envelope)}\n`, 0o644)
  return written.ok ? accept(proposal) : written
}

/** Nobody's signature is enough yet: a proposal that nobody signed is refused rather than left lying about. */
const leave = async (proposal: RootProposal, path: string): Promise<Result<RootProposal>> => {
  if (proposal.signatures.every(({ signed }) => signed.length === 0)) {
    return refuse(
      'NOT_AUTHORISED',
      'no key that was given is a root key',
      'sign with a root holder’s key: --key',
    )
  }
  await writeDurably(path, `${JSON.stringify(proposal.envelope)}\n`)
  return accept({ ...proposal, pending: path })
}

const isFirst = (folder: string): Promise<boolean> =>
  openRootChain(rootsFolderOf(folder)).then(
    () => false,
    (cause: unknown) => {
      if (cause instanceof Failure && cause.code === 'TRUST_MISSING') return true
      throw cause
    },
  )

const rootSigners = async (
  folder: string,
  root: TrustRoot,
  keyPaths: readonly string[],
): Promise<readonly Signer[]> => {
  if (keyPaths.length > 0) {
    return Promise.all(keyPaths.map(async (path) => toSigner(await readKeyFile(path))))
  }
  const own = await findKeyFile(folder, 'root', root)
  return [toSigner(own?.key ?? (await readKeyFile(keyPathOf(folder, 'root'))))]
}

const readProposal = async (path: string): Promise<Result<Envelope>> => {
  const bytes = await readFile(path).catch((cause: unknown) => {
    throw new Failure('FILE_UNREADABLE', `${path} cannot be read`, { cause, hint: 'check its name' })
  })
  return parseEnvelope(bytes)
}
