/**
 * What each step of a run does with the rooms around it. Every function returns the facts that follow and leaves
 * nothing behind that a second try could not find or overwrite: artifacts are named by their content.
 */

import { manifestPayloadType } from '@imlma/protocol/manifest'
import { Failure, type Result } from '@imlma/protocol/result'
import { encodeJson } from '@imlma/protocol/wire'
import type { DatasetRecord, RegistryEvent } from '../registry/events.ts'
import type { Registry } from '../registry/registry.ts'
import type { Rollout } from '../rollout/rollout.ts'
import type { ArtifactStore } from '../storage/artifacts.ts'
import type { TrainingOutcome } from '../training/job.ts'
import type { Trainer } from '../training/trainer.fork.ts'
import { candidateSchema, toCandidate, toForeignCandidate, toManifest } from './candidate.ts'
import type { ModelDefinition } from './definition.ts'
import { delaysOf } from './delays.ts'
import type { Judge } from './judge.ts'
import type { PerformEffect, SealRelease } from './lifecycle.ts'
import type { ExamineRegistration } from './registration/examine.ts'
import type { Studies } from './studies.ts'
import type { Assigning, Deploying, Freezing, Gating, Shadowing, Signing, Training } from './run.ts'
import { confirmShadow, withShadow } from './shadow.ts'

export interface EffectParts {
  readonly registry: Pick<Registry, 'numbers' | 'champion' | 'shadow' | 'version'>
  readonly artifacts: ArtifactStore
  /** Freezes what the readings store holds now; the snapshot is in the artifact store on return. */
  readonly freeze: (definition: ModelDefinition) => Promise<Result<DatasetRecord>>
  readonly trainer: (definition: ModelDefinition) => Trainer
  /** Takes the place of the training where a run is about a model that was made elsewhere. */
  readonly examine: ExamineRegistration
  readonly studies: Studies
  readonly judge: Judge
  readonly seal: SealRelease
  readonly rollout: Pick<Rollout, 'assign' | 'settled'>
  /** Folder for what a training writes before it is adopted. */
  readonly outputFolder: string
  readonly codeVersion: string
  readonly now: () => number
}

export interface EffectOptions {
  /** How long a run waits for online agents; those that come later are told all the same. */
  readonly settleMsMax?: number
}

export const createEffects = (parts: EffectParts, options: EffectOptions = {}): PerformEffect => {
  const { settleMsMax = 120_000 } = options
  const exclusively = createQueue()
  return async (definition, effect, context) => {
    switch (effect.kind) {
      case 'freeze':
        return freeze(parts, definition, effect.state)
      case 'train':
        // One training at a time: two would fight for the same cores and both be slower.
        return exclusively(() => train(parts, definition, effect.state, context))
      case 'gate':
        return exclusively(() => gate(parts, definition, effect.state, context.signal))
      case 'sign':
        return sign(parts, definition, effect.state, context)
      case 'shadow':
        return startShadow(parts, definition, effect.state, context)
      case 'confirm':
        return confirmShadow(parts, definition.name, effect.state, context)
      case 'assign':
        return assign(parts, definition, effect.state)
      case 'await-fleet':
        await Promise.race([parts.rollout.settled(definition.name, settleMsMax), aborted(context.signal)])
        return complete(parts, definition, effect.state, context.events)
      case 'close':
        return complete(parts, definition, effect.state, context.events)
    }
  }
}

type Context = Parameters<PerformEffect>[2]

const freeze = async (
  { freeze: freezeNow }: EffectParts,
  definition: ModelDefinition,
  { run }: Freezing,
): Promise<readonly RegistryEvent[]> => {
  const dataset = await freezeNow(definition)
  if (dataset.ok) return [{ kind: 'dataset-frozen', model: definition.name, run, dataset: dataset.value }]
  const { code, message, hint } = dataset.refusal
  throw new Failure(code, message, hint === undefined ? {} : { hint })
}

const train = async (
  parts: EffectParts,
  definition: ModelDefinition,
  state: Training,
  context: Context,
): Promise<readonly RegistryEvent[]> => {
  const { name: model } = definition
  const { run, dataset } = state
  const examined = await parts.examine(definition, state, context)
  const outcome = examined?.outcome ?? (await learn(parts, definition, state, context))
  // A file from elsewhere lies in the store already, and stays there whatever happens now.
  const artifact =
    examined === undefined
      ? await parts.artifacts.adopt(outcome.artifactPath)
      : { sha256: outcome.sha256, bytes: outcome.bytes }
  const made =
    examined === undefined
      ? toCandidate(definition, outcome)
      : toForeignCandidate(definition, outcome, examined.contract)
  const candidate = await parts.artifacts.put(encodeJson(made))
  const { version } = await parts.registry.numbers(model)
  const champion = await parts.registry.champion(model)
  return [
    {
      kind: 'version-trained',
      model,
      run,
      version: version + 1,
      parent: champion?.version ?? null,
      learner: outcome.learner,
      parameters: { ...outcome.parameters },
      seed: examined === undefined ? definition.seed : 0,
      codeVersion: parts.codeVersion,
      // The whole study is an artifact of its own: which trials were made, and how each ended.
      study:
        outcome.study === undefined ? null : (await parts.artifacts.put(encodeJson(outcome.study))).sha256,
      datasetSha256: dataset.sha256,
      rows: outcome.rows.train,
      artifact,
      candidateSha256: candidate.sha256,
      seconds: outcome.seconds,
    },
  ]
}

const learn = async (
  parts: EffectParts,
  definition: ModelDefinition,
  { run, dataset }: Training,
  { signal, onProgress }: Context,
): Promise<TrainingOutcome> => {
  const { name: model, learner, parameters, seed } = definition
  const path = await pathOf(parts.artifacts, dataset.sha256)
  const study =
    learner === 'auto'
      ? { study: { ...definition.study, ...(await parts.studies.begin(model, run)) } }
      : undefined
  let kept: Promise<void> = Promise.resolve()
  const outcome = await parts.trainer(definition).train(
    {
      dataset: { path, sha256: dataset.sha256 },
      task: { ...definition, rowsMax: definition.training.rowsMax },
      learner,
      parameters,
      seed,
      outputFolder: parts.outputFolder,
      ...study,
    },
    {
      signal,
      onTrial: (state) => {
        // The next trial keeps all of the study again: one that the disk did not take must not end the training.
        kept = kept.then(() => parts.studies.keep(model, run, state)).catch(() => undefined)
      },
      onProgress: ({ phase, fraction }) => onProgress({ fraction, detail: phase }),
    },
  )
  await kept
  return outcome
}

const gate = async (
  parts: EffectParts,
  definition: ModelDefinition,
  { run, dataset, trained }: Gating,
  signal: AbortSignal,
): Promise<readonly RegistryEvent[]> => {
  const champion = await parts.registry.champion(definition.name)
  const candidate = await readCandidate(parts.artifacts, trained.candidateSha256)
  const judged = await parts.judge({ definition, dataset, trained, candidate, champion, signal })
  const decision = withShadow(judged, await parts.registry.shadow(definition.name), definition.shadow.share)
  return [{ kind: 'version-decided', model: definition.name, run, version: trained.version, decision }]
}

const sign = async (
  parts: EffectParts,
  definition: ModelDefinition,
  state: Signing,
  context: Context,
): Promise<readonly RegistryEvent[]> => {
  const { version } = state.trained
  const signature = await seal(parts, definition, state, context)
  return [{ kind: 'version-signed', model: definition.name, version, ...signature }]
}

const startShadow = async (
  parts: EffectParts,
  definition: ModelDefinition,
  state: Shadowing,
  context: Context,
): Promise<readonly RegistryEvent[]> => {
  const { run, trained, decision } = state
  const champion = decision.champion.version
  if (champion === null) throw new Failure('NO_CHAMPION', 'a shadow stands beside a champion')
  const signature = await seal(parts, definition, state, context, 'shadow')
  const { version } = trained
  return [{ kind: 'shadow-started', model: definition.name, run, version, champion, ...signature }]
}

const seal = async (
  parts: EffectParts,
  definition: ModelDefinition,
  { dataset, trained, trigger, decision }: Omit<Signing, 'phase'>,
  context: Context,
  mode?: 'shadow',
): Promise<{ release: number; keyid: string; envelopeSha256: string }> => {
  const { name: model, latencyMsBudget } = definition
  // The bytes that are signed for are the bytes that are in the store, not those that once were.
  await parts.artifacts.get(trained.artifact.sha256)
  const candidate = await readCandidate(parts.artifacts, trained.candidateSha256)
  const release = (await parts.registry.numbers(model)).release + 1
  const { version, artifact, parent, study, learner, parameters, codeVersion, seed } = trained
  const manifest = toManifest(candidate, {
    model,
    version,
    release,
    createdAt: parts.now(),
    artifact,
    parent,
    datasetSha256: dataset.sha256,
    study,
    trigger,
    learner,
    parameters,
    codeVersion,
    seed,
    decision,
    latencyMsBudget,
  })
  const signed = mode === undefined ? manifest : { ...manifest, mode }
  const envelope = await parts.seal(manifestPayloadType, signed, context)
  const { sha256 } = await parts.artifacts.put(encodeJson(envelope))
  return { release, keyid: envelope.signatures[0]?.keyid ?? '', envelopeSha256: sha256 }
}

const assign = async (
  { registry, rollout }: EffectParts,
  { name: model }: ModelDefinition,
  { version }: Assigning,
): Promise<readonly RegistryEvent[]> => {
  const record = await registry.version(model, version)
  if (record === undefined || record.envelopeSha256 === null) {
    throw new Failure('NOT_SIGNED', `version ${version} of ${model} has no signature`)
  }
  const { envelopeSha256, artifact } = record
  const agents = await rollout.assign(model, { version, envelopeSha256, artifactSha256: artifact.sha256 })
  return [{ kind: 'version-assigned', model, version, agents: [...agents] }]
}

const complete = (
  { now }: EffectParts,
  { name: model }: ModelDefinition,
  { run, version }: Pick<Deploying, 'run' | 'version'>,
  events: Context['events'],
): readonly RegistryEvent[] => [
  { kind: 'run-completed', model, run, version, delayMs: delaysOf(events, now()) },
]

const readCandidate = async (artifacts: ArtifactStore, sha256: string) =>
  candidateSchema.parse(JSON.parse(new TextDecoder().decode(await artifacts.get(sha256))))

const pathOf = async (artifacts: ArtifactStore, sha256: string): Promise<string> => {
  const path = await artifacts.path(sha256)
  if (path !== undefined) return path
  throw new Failure('DATASET_MISSING', `the snapshot ${sha256} is not in the artifact store`, {
    hint: 'restore the artifacts folder, or let the next trigger freeze a new snapshot',
  })
}

const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })

/** One task after the other, whether the one before succeeded or not. */
const createQueue = (): (<Value>(task: () => Promise<Value>) => Promise<Value>) => {
  let last: Promise<unknown> = Promise.resolve()
  return (task) => {
    const result = last.then(task, task)
    last = result
    return result
  }
}
