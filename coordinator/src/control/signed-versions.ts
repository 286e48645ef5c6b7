/**
 * The signed versions of every model, kept at hand: who asks for an assignment's envelope, for the reference that
 * drift is measured against, or whether an artifact may leave the house is answered without the disk.
 */

import { manifestPayloadType, manifestSchema, type Manifest } from '@imlma/protocol/manifest'
import { Failure } from '@imlma/protocol/result'
import { envelopeSchema, openEnvelope, type Envelope } from '@imlma/protocol/trust'
import type { InputReference } from '../fleet/performance.ts'
import type { Registry, VersionRecord } from '../registry/registry.ts'
import type { SignedVersion } from '../rollout/assigned.ts'
import type { ArtifactStore } from '../storage/artifacts.ts'

export interface SignedVersions {
  /** The latest promoted version of each model that has one. */
  readonly champions: () => Readonly<Record<string, SignedVersion>>
  /** Verified against its hash when it was read. Throws `Failure` ARTIFACT_MISSING, ARTIFACT_CHANGED. */
  readonly envelope: (sha256: string) => Promise<Envelope>
  readonly isServable: (artifactSha256: string) => boolean
  readonly referenceOf: (model: string, version: number) => InputReference | undefined
  readonly contextLength: (envelopeSha256: string) => Promise<number | null>
  readonly close: () => void
}

interface Opened {
  readonly envelope: Envelope
  readonly manifest: Manifest
}

export interface SignedVersionsParts {
  readonly registry: Pick<Registry, 'versions' | 'subscribe'>
  readonly artifacts: Pick<ArtifactStore, 'get'>
}

/** Envelopes kept in memory: the champions and those that agents may still be told about. */
const openedMax = 64

export const createSignedVersions = async (
  { registry, artifacts }: SignedVersionsParts,
  models: readonly string[],
): Promise<SignedVersions> => {
  const servable = new Set<string>()
  const champions: Record<string, SignedVersion> = {}
  const references = new Map<string, InputReference>()
  const opened = new Map<string, Promise<Opened>>()

  const open = (sha256: string): Promise<Opened> => {
    const known = opened.get(sha256)
    if (known !== undefined) return known
    const loading = readEnvelope(artifacts, sha256)
    opened.set(sha256, loading)
    loading.catch(() => opened.delete(sha256)) // a restored file is found at the next try
    for (const oldest of opened.keys()) if (opened.size > openedMax) opened.delete(oldest)
    return loading
  }

  const learn = async (record: VersionRecord): Promise<void> => {
    const { model, version, envelopeSha256, artifact } = record
    const signature = envelopeSha256 ?? record.shadow?.envelopeSha256
    if (signature === undefined) return
    servable.add(artifact.sha256)
    if (record.state === 'promoted' && envelopeSha256 !== null) {
      champions[model] = { version, envelopeSha256, artifactSha256: artifact.sha256 }
    }
    const { manifest } = await open(signature)
    references.set(`${model}@${version}`, toReference(manifest))
  }

  for (const model of models) {
    for (const record of await registry.versions(model)) {
      await learn(record).catch(() => undefined) // an envelope that is gone is refused when it is asked for
    }
  }
  const end = registry.subscribe(({ event }) => {
    if (event.kind !== 'version-signed' && event.kind !== 'shadow-started') return
    void registry
      .versions(event.model)
      .then((records) => records.find(({ version }) => version === event.version))
      .then((record) => record && learn(record))
      .catch(() => undefined)
  })

  return {
    champions: () => ({ ...champions }),
    envelope: async (sha256) => (await open(sha256)).envelope,
    isServable: (sha256) => servable.has(sha256),
    referenceOf: (model, version) => references.get(`${model}@${version}`),
    contextLength: async (sha256) => {
      const found = await open(sha256).catch(() => undefined)
      return found?.manifest.contract.contextLength ?? null
    },
    close: end,
  }
}

const readEnvelope = async (artifacts: Pick<ArtifactStore, 'get'>, sha256: string): Promise<Opened> => {
  const bytes = await artifacts.get(sha256)
  const envelope = envelopeSchema.parse(JSON.parse(new TextDecoder().decode(bytes)))
  const manifest = openEnvelope(envelope, { payloadType: manifestPayloadType, schema: manifestSchema })
  if (!manifest.ok) throw new Failure(manifest.refusal.code, manifest.refusal.message)
  return { envelope, manifest: manifest.value }
}

const toReference = ({ reference }: Manifest): InputReference =>
  Object.fromEntries(Object.entries(reference.inputs).map(([name, { histogram }]) => [name, histogram]))
