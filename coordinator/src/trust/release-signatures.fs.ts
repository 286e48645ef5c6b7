/**
 * The release signature of a version. Where the trust root asks for more people than the control centre's own key, the
 * version waits in `trust/pending/<model>.<version>.json` until they have signed (`imlma approve --release`); a control
 * centre that was killed meanwhile finds it there, with every signature that it has.
 */

import { mkdir, readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { manifestPayloadType, manifestSchema, type Manifest } from '@imlma/protocol/manifest'
import { verifySignature, writeDurably } from '@imlma/protocol/node'
import { accept, Failure, refuse, type Result } from '@imlma/protocol/result'
import {
  canonicalJson,
  cosignEnvelope,
  openEnvelope,
  parseEnvelope,
  readSignatures,
  type Envelope,
  type Signer,
  type TrustRoot,
} from '@imlma/protocol/trust'
import { rootsFolderOf } from './establish.fs.ts'
import { readKeyFile, toSigner } from './keys.fs.ts'
import { openRootChain } from './roots.fs.ts'
import { sealManifest } from './signer.ts'

export interface ReleaseParts {
  /** `<dataDir>/trust`. */
  readonly folder: string
  readonly root: () => TrustRoot
  readonly release: () => Signer
  /** Resolves after `ms`, or when the signal aborts. */
  readonly wait: (ms: number, signal: AbortSignal) => Promise<void>
}

export interface ReleaseContext {
  readonly signal: AbortSignal
  /** Said once a version has to wait for people. */
  readonly onWaiting: (detail: string) => void
}

/** How often somebody's signature is looked for; it is a person that is waited for. */
const lookMs = 1_000

const pendingReleasePath = (folder: string, model: string, version: number): string =>
  join(folder, 'pending', `${model}.${version}.json`)

/**
 * The manifest, signed by as many people as the root in force asks for. Throws `Failure` KEY_NOT_IN_ROOT, INTERRUPTED when
 * the signal aborts, NO_SPACE, WRITE_FAILED.
 */
export const sealRelease = async (
  { folder, root, release, wait }: ReleaseParts,
  manifest: Manifest,
  { signal, onWaiting }: ReleaseContext,
): Promise<Envelope> => {
  const path = pendingReleasePath(folder, manifest.model, manifest.version)
  const termsNow = () => ({ root: root(), role: 'release', verify: verifySignature }) as const
  const stored = await readPending(path)
  // What was begun before a kill goes on: it may carry signatures already.
  let envelope =
    stored !== undefined && isAbout(stored, manifest) ? stored : sealManifest(manifest, release())
  let told = false
  await forgetOthers(folder, manifest.model, path)
  while (!signal.aborted) {
    const terms = termsNow()
    const { persons, keyids } = readSignatures(envelope, terms)
    const { threshold } = terms.root.roles.release
    // Its file stays until the next version: a kill before this is recorded must not cost the signatures.
    if (persons.length >= threshold) return envelope
    if (!keyids.includes(release().keyid)) {
      // Begun with a release key that was replaced since.
      envelope = sealManifest(manifest, release())
      if (readSignatures(envelope, terms).persons.length === 0) throw notInRoot(terms.root)
    }
    if (!told) {
      await mkdir(join(folder, 'pending'), { recursive: true })
      await writeDurably(path, JSON.stringify(envelope))
      const { model, version } = manifest
      onWaiting(
        `signed by ${persons.length} of ${threshold} people: imlma approve ${model} --release ${version} --key FILE`,
      )
      told = true
    }
    await wait(lookMs, signal)
    const found = await readPending(path)
    if (found !== undefined && isAbout(found, manifest)) envelope = found
  }
  throw new Failure('INTERRUPTED', 'stopped while a version waited for its release signatures', {
    retryable: true,
  })
}

/** Versions of the model that waited before this one are over, one way or the other. */
const forgetOthers = async (folder: string, model: string, path: string): Promise<void> => {
  const names = await readdir(join(folder, 'pending')).catch(() => [])
  for (const name of names.filter((each) => each.startsWith(`${model}.`))) {
    const other = join(folder, 'pending', name)
    if (other !== path) await rm(other, { force: true })
  }
}

/** The same version of the same bytes; when it was first sealed is as it may be. */
const isAbout = (envelope: Envelope, manifest: Manifest): boolean => {
  const claimed = openEnvelope(envelope, { payloadType: manifestPayloadType, schema: manifestSchema })
  return (
    claimed.ok &&
    canonicalJson({ ...claimed.value, createdAt: 0 }) ===
      canonicalJson({ ...manifestSchema.parse(manifest), createdAt: 0 })
  )
}

/** The version as it waits in the trust folder. */
export const readPendingRelease = async (
  folder: string,
  model: string,
  version: number,
): Promise<Result<{ readonly envelope: Envelope; readonly manifest: Manifest }>> => {
  const envelope = await readPending(pendingReleasePath(folder, model, version))
  if (envelope === undefined) {
    return refuse(
      'NOT_PENDING',
      `version ${version} of ${model} does not wait for a release signature here`,
      'it waits in the data directory of the control centre: --data-dir',
    )
  }
  const manifest = openEnvelope(envelope, { payloadType: manifestPayloadType, schema: manifestSchema })
  return manifest.ok ? accept({ envelope, manifest: manifest.value }) : manifest
}

/** One more release holder's signature; refused where it adds nobody. */
export const approveRelease = async (
  folder: string,
  { model, version }: { readonly model: string; readonly version: number },
  keyPath: string,
): Promise<Result<{ by: string; persons: number; needed: number }>> => {
  const waiting = await readPendingRelease(folder, model, version)
  if (!waiting.ok) return waiting
  const key = await readKeyFile(keyPath)
  const root = (await openRootChain(rootsFolderOf(folder))).current()
  const terms = { root, role: 'release', verify: verifySignature } as const
  const before = readSignatures(waiting.value.envelope, terms).persons.length
  const envelope = cosignEnvelope(waiting.value.envelope, [toSigner(key)])
  const persons = readSignatures(envelope, terms).persons.length
  if (persons <= before) {
    return refuse(
      'NOT_AUTHORISED',
      `${key.name} adds nobody: the key holds no release role, or this person has signed already`,
      'imlma root show says who may',
    )
  }
  await writeDurably(pendingReleasePath(folder, model, version), JSON.stringify(envelope))
  return accept({ by: key.name, persons, needed: root.roles.release.threshold })
}

const readPending = async (path: string): Promise<Envelope | undefined> => {
  const bytes = await readFile(path).catch(() => undefined)
  const envelope = bytes === undefined ? undefined : parseEnvelope(bytes)
  return envelope?.ok === true ? envelope.value : undefined
}

const notInRoot = ({ version }: TrustRoot): Failure =>
  new Failure('KEY_NOT_IN_ROOT', `the release key does not hold its role in trust root version ${version}`, {
    hint: 'agents would refuse what it signs: restore the key that belongs to this trust root',
  })
