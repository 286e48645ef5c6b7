/** How an undecided version comes into the shadow, and how one that proved itself there comes out of it. */

import { manifestPayloadType, manifestSchema, type Manifest } from '@imlma/protocol/manifest'
import { Failure } from '@imlma/protocol/result'
import { envelopeSchema, openEnvelope } from '@imlma/protocol/trust'
import { encodeJson } from '@imlma/protocol/wire'
import type { Decision, RegistryEvent } from '../registry/events.ts'
import type { Registry, VersionRecord } from '../registry/registry.ts'
import type { ArtifactStore } from '../storage/artifacts.ts'
import type { SealRelease } from './lifecycle.ts'
import type { Confirming } from './run.ts'

/**
 * An inconclusive decision with what follows from it: does the version go on in shadow? `standing` is the version that
 * is in shadow now. One that was begun is ended first: to start again with every training would let nothing be proven.
 */
export const withShadow = (
  decision: Decision,
  standing: VersionRecord | undefined,
  share: number,
): Decision => {
  if (decision.verdict !== 'inconclusive') return decision
  const { champion, challenger } = decision
  const stays = (detail: string): Decision => ({ ...decision, shadow: { enters: false, detail } })
  if (champion.version === null) return stays('no shadow: there is no champion to stand beside')
  if (share === 0) return stays('no shadow: the model is defined to have none')
  if (challenger.mse === null || challenger.mae === null) {
    return stays('no shadow: there are no figures that a manifest could promise')
  }
  if (standing !== undefined && standing.shadow?.champion === champion.version) {
    return stays(`no shadow: version ${standing.version} is in shadow beside version ${champion.version}`)
  }
  return {
    ...decision,
    shadow: { enters: true, detail: `goes on in shadow beside version ${champion.version}` },
  }
}

interface ConfirmParts {
  readonly registry: Pick<Registry, 'version' | 'numbers'>
  readonly artifacts: Pick<ArtifactStore, 'get' | 'put'>
  readonly seal: SealRelease
  readonly now: () => number
}

/** Signs what ran in shadow once more, now to answer: the same artifact and promises, the decision that the shadow made. */
export const confirmShadow = async (
  parts: ConfirmParts,
  model: string,
  { version }: Confirming,
  context: Parameters<SealRelease>[2],
): Promise<readonly RegistryEvent[]> => {
  const record = await parts.registry.version(model, version)
  if (!record?.shadow || record.decision?.verdict !== 'promote') {
    throw new Failure('NOT_PROVEN', `version ${version} of ${model} was not proven in shadow`)
  }
  // The bytes that are signed for are the bytes that are in the store, not those that once were.
  await parts.artifacts.get(record.artifact.sha256)
  const { mode: _, ...promised } = await readManifest(parts, record.shadow.envelopeSha256)
  const release = (await parts.registry.numbers(model)).release + 1
  const decision = { ...record.decision }
  const manifest = { ...promised, release, createdAt: parts.now(), decision }
  const envelope = await parts.seal(manifestPayloadType, manifest, context)
  const { sha256 } = await parts.artifacts.put(encodeJson(envelope))
  const keyid = envelope.signatures[0]?.keyid ?? ''
  return [{ kind: 'version-signed', model, version, release, keyid, envelopeSha256: sha256 }]
}

/** Its bytes are those that the registry recorded when it was signed: the hash is the proof here. */
const readManifest = async (
  { artifacts }: Pick<ConfirmParts, 'artifacts'>,
  sha256: string,
): Promise<Manifest> => {
  const bytes = await artifacts.get(sha256)
  const envelope = envelopeSchema.parse(JSON.parse(new TextDecoder().decode(bytes)))
  const manifest = openEnvelope(envelope, { payloadType: manifestPayloadType, schema: manifestSchema })
  if (manifest.ok) return manifest.value
  throw new Failure(manifest.refusal.code, manifest.refusal.message)
}
