/**
 * What may this agent believe of an assignment that came over the wire, and what does it say?
 *
 *   bytes → envelope → director's signature → for me? → still valid? → newer than the last? → each manifest by itself
 *
 * Verification only: who calls this persists what was accepted and then acts. One bad model does not stop the others.
 */

import { featureCount } from '@imlma/protocol/features'
import {
  manifestPayloadType,
  manifestSchema,
  outputsAgree,
  toGoldenVectors,
  type Contract,
  type Manifest,
} from '@imlma/protocol/manifest'
import { accept, refuse, type Result } from '@imlma/protocol/result'
import {
  desiredPayloadType,
  desiredSchema,
  openEnvelope,
  readSignatures,
  type Desired,
  type Envelope,
  type TrustRefusal,
  type TrustRoot,
  type VerifySignature,
} from '@imlma/protocol/trust'
import type { InstalledVersion } from '@imlma/protocol/wire'
import type { Clock } from '../clock/clock.ts'

export interface AdmissionTerms {
  readonly root: TrustRoot
  readonly verify: VerifySignature
  readonly site: string
  readonly agent: string
  readonly clock: Clock
  /** Counter of the last assignment that was accepted. */
  readonly desiredCounter: number
  /** Keys that signed it. Once none of them is a director's any more, counting begins anew (see `counterInForce`). */
  readonly desiredSigners: readonly string[]
}

export type AdmissionRefusal = TrustRefusal | 'CONTRACT_MISMATCH' | 'SHADOW_ONLY'

/** One verified model of an assignment. */
export interface Admitted {
  readonly envelope: Envelope
  readonly manifest: Manifest
}

/** One version that an assignment names. */
export interface AdmittedEntry {
  readonly model: string
  readonly entry: Result<Admitted, AdmissionRefusal>
  /** What the manifest says of itself, believed or not; undefined where it says nothing readable. */
  readonly claimed: InstalledVersion | undefined
}

export interface Admission {
  readonly counter: number
  /** Directors' keys that signed it. */
  readonly signers: readonly string[]
  /** True for the assignment that was accepted last: retained, it comes with every connect. */
  readonly repeated: boolean
  /** What is to be served, and what is to run beside it. */
  readonly models: readonly AdmittedEntry[]
  readonly shadows: readonly AdmittedEntry[]
}

/** The assignment, once everything about it but its single models has been verified, in this order. */
export const admitDesired = (
  envelope: Envelope,
  { root, verify, site, agent, clock, ...accepted }: AdmissionTerms,
): Result<Admission, TrustRefusal> => {
  const authority = { root, role: 'director', verify } as const
  const opened = openEnvelope(envelope, { ...desiredTerms, ...authority })
  if (!opened.ok) return opened
  const desired = opened.value
  if (desired.site !== site || desired.agent !== agent) {
    return refuse('WRONG_TARGET', `addressed to ${desired.site}/${desired.agent}`)
  }
  const { keyids: signers } = readSignatures(envelope, authority)
  clock.prove('director', signers, desired.issuedAt)
  const desiredCounter = counterInForce(accepted, root)
  const repeated = desired.counter === desiredCounter
  // What was accepted in time stays accepted: its expiry is not looked at again.
  const valid = repeated ? accept(undefined) : checkValidity(desired, root, clock)
  if (!valid.ok) return valid
  if (desired.counter < desiredCounter) {
    return refuse('REPLAYED', `counter ${desired.counter} is below ${desiredCounter}`)
  }
  const toEntry = (model: string, manifest: Envelope, admit: typeof admitManifest): AdmittedEntry => ({
    model,
    entry: admit(model, manifest, { root, verify }),
    claimed: claimedVersion(manifest),
  })
  const entries = Object.entries(desired.models)
  const models = entries
    .filter(([, { mode }]) => mode === 'active')
    .map(([model, { manifest }]) => toEntry(model, manifest, admitActive))
  const shadows = entries.flatMap(([model, { mode, manifest, shadow }]) => {
    const named = mode === 'shadow' ? manifest : shadow
    return named === undefined ? [] : [toEntry(model, named, admitManifest)]
  })
  return accept({ counter: desired.counter, signers, repeated, models, shadows })
}

/**
 * The counter that the next assignment must pass. A director's stolen key can raise it to the end of the numbers; the way
 * back is a trust root with another director, whose counting begins anew (TUF 1.0.34, "Update the root role", step on
 * recovery from fast-forward attacks). What the old key has signed is refused by then, so nothing of it can be replayed.
 */
const counterInForce = (
  { desiredCounter, desiredSigners }: Pick<AdmissionTerms, 'desiredCounter' | 'desiredSigners'>,
  root: TrustRoot,
): number => {
  const { keyids } = root.roles.director
  const isOver = desiredSigners.length > 0 && !desiredSigners.some((keyid) => keyids.includes(keyid))
  return isOver ? 0 : desiredCounter
}

/** The models and roots that an assignment names, before anything of it is believed. */
export const claimedDesired = (envelope: Envelope): Desired | undefined => {
  const opened = openEnvelope(envelope, desiredTerms)
  return opened.ok ? opened.value : undefined
}

/** A manifest by the release key, about this model, with a contract that holds together. */
export const admitManifest = (
  model: string,
  envelope: Envelope,
  { root, verify }: Pick<AdmissionTerms, 'root' | 'verify'>,
): Result<Admitted, AdmissionRefusal> => {
  const opened = openEnvelope(envelope, { ...manifestTerms, root, role: 'release', verify })
  if (!opened.ok) return opened
  const manifest = opened.value
  if (manifest.model !== model) return refuse('WRONG_TARGET', `the manifest is about ${manifest.model}`)
  const sound = checkContract(manifest.contract)
  if (!sound.ok) return sound
  const golden = toGoldenVectors(manifest)
  return golden.ok ? accept({ envelope, manifest }) : golden
}

/** One that may also answer: the director cannot promote what the release key left in shadow. */
const admitActive: typeof admitManifest = (model, envelope, terms) => {
  const admitted = admitManifest(model, envelope, terms)
  return admitted.ok && admitted.value.manifest.mode === 'shadow'
    ? refuse('SHADOW_ONLY', 'it was signed to run beside the champion only')
    : admitted
}

/** What a manifest says of itself, before anything of it is believed. */
export const claimedManifest = (envelope: Envelope): Manifest | undefined => {
  const opened = openEnvelope(envelope, manifestTerms)
  return opened.ok ? opened.value : undefined
}

/** The version that it claims to be, for reports about why it was not believed. */
export const claimedVersion = (envelope: Envelope): InstalledVersion | undefined => {
  const claimed = claimedManifest(envelope)
  return claimed === undefined ? undefined : toInstalled(claimed)
}

export const toInstalled = ({ version, release, artifact }: Manifest): InstalledVersion => ({
  version,
  release,
  sha256: artifact.sha256,
})

const desiredTerms = { payloadType: desiredPayloadType, schema: desiredSchema }
const manifestTerms = { payloadType: manifestPayloadType, schema: manifestSchema }

/** New installs need the time (protocol.md, "Operations a technician can command"): without it, nothing is in time. */
const checkValidity = (desired: Desired, root: TrustRoot, clock: Clock): Result<void, 'EXPIRED'> => {
  if (!clock.trusted())
    return refuse('EXPIRED', 'the clock is not trusted, so nothing new is known to be valid')
  const now = clock.now()
  if (now > desired.expiresAt) return refuse('EXPIRED', `the assignment expired ${toIso(desired.expiresAt)}`)
  if (now > root.expiresAt)
    return refuse('EXPIRED', `trust root ${root.version} expired ${toIso(root.expiresAt)}`)
  return accept(undefined)
}

/** Does the contract agree with itself? Whether the file agrees with it is looked at when it is loaded. */
const checkContract = (contract: Contract) => {
  const { inputs, horizon, outputs, intervalMs, features } = contract
  const columns = inputs[0]?.shape.at(-1)
  const steps = outputs[0]?.shape.at(-1)
  const agrees =
    columns === featureCount(features) &&
    steps === horizon &&
    outputsAgree(contract) &&
    features.horizon === horizon &&
    features.intervalMs === intervalMs
  return agrees
    ? accept(undefined)
    : refuse('CONTRACT_MISMATCH', 'tensors, horizon, interval and feature spec do not fit together')
}

const toIso = (at: number): string => new Date(at).toISOString()
