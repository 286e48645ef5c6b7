/** Tells the rollout what is in shadow, now and after every change that the registry knows of. */

import type { ModelDefinition } from '../lifecycle/definition.ts'
import type { Registry } from '../registry/registry.ts'
import type { Rollout } from '../rollout/rollout.ts'

export interface ShadowParts {
  readonly registry: Pick<Registry, 'shadow' | 'subscribe'>
  readonly rollout: Pick<Rollout, 'shadow'>
  readonly onFailure: (error: unknown) => void
}

/** Resolves when what is in shadow now was told; the returned function ends it. */
export const followShadows = async (
  { registry, rollout, onFailure }: ShadowParts,
  definitions: readonly ModelDefinition[],
): Promise<() => void> => {
  const shareOf = new Map(definitions.map(({ name, shadow }) => [name, shadow.share]))
  const tell = async (model: string): Promise<void> => {
    const record = await registry.shadow(model)
    const share = shareOf.get(model) ?? 0
    if (!record?.shadow) {
      await rollout.shadow(model, undefined)
      return
    }
    const { version, artifact, shadow } = record
    const { champion, envelopeSha256 } = shadow
    await rollout.shadow(model, { version, champion, share, envelopeSha256, artifactSha256: artifact.sha256 })
  }
  for (const { name } of definitions) await tell(name)
  // One after the other: what is read last must be told last.
  let told: Promise<void> = Promise.resolve()
  return registry.subscribe(({ event }) => {
    if (event.kind !== 'shadow-started' && event.kind !== 'shadow-ended') return
    told = told.then(() => tell(event.model)).catch(onFailure)
  })
}
