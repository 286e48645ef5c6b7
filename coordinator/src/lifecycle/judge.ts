/**
 * Champion and challenger on the same frozen window, and the gate's word on it. Both are run as an agent would run
 * them, from their signed or stored files; where there is no champion yet, the seasonal-naive baseline on the very
 * same rows stands in.
 */

import { limits } from '@imlma/protocol/limits'
import { manifestPayloadType, manifestSchema } from '@imlma/protocol/manifest'
import { Failure } from '@imlma/protocol/result'
import type { FeatureSpec } from '@imlma/protocol/features'
import { envelopeSchema, openEnvelope } from '@imlma/protocol/trust'
import type { ArtifactFigures, Contest } from '../gate/evaluation.ts'
import { decide } from '../gate/gate.ts'
import type { DatasetRecord, Decision, RegistryEvent } from '../registry/events.ts'
import type { VersionRecord } from '../registry/registry.ts'
import type { ArtifactStore } from '../storage/artifacts.ts'
import type { Evaluation } from '../training/evaluate.onnx.ts'
import { externalLearner, parityMax } from '../training/job.ts'
import type { ForecastErrors } from '../training/tally.ts'
import type { Trainer } from '../training/trainer.fork.ts'
import type { Candidate } from './candidate.ts'
import type { ModelDefinition } from './definition.ts'

type Trained = Extract<RegistryEvent, { kind: 'version-trained' }>

export interface Case {
  readonly definition: ModelDefinition
  readonly dataset: DatasetRecord
  readonly trained: Trained
  readonly candidate: Candidate
  readonly champion: VersionRecord | undefined
  readonly signal: AbortSignal
}

export type Judge = (question: Case) => Promise<Decision>

export interface JudgeParts {
  readonly artifacts: ArtifactStore
  readonly evaluator: (definition: ModelDefinition) => Pick<Trainer, 'evaluate'>
  readonly hashRows: HashRows
}

/** Names the rows that an evaluation was made on. */
type HashRows = (rows: Pick<Evaluation, 'rowMeters' | 'origins' | 'actuals'>) => string

/** Forecasts per model that a decision is made on: enough for a tight comparison, few enough for seconds. */
const rowsMax = 20_000

export const createJudge =
  ({ artifacts, evaluator, hashRows }: JudgeParts): Judge =>
  async ({ definition, dataset, trained, candidate, champion, signal }) => {
    const { start, end } = dataset.evaluation
    const contenders = [
      { path: await fileOf(artifacts, trained.artifact.sha256), spec: candidate.contract.features },
      ...(champion === undefined ? [] : [await contenderOf(artifacts, champion)]),
    ]
    const [challenger, incumbent] = await evaluator(definition).evaluate(
      {
        dataset: { path: await fileOf(artifacts, dataset.sha256), sha256: dataset.sha256 },
        contenders,
        register: definition.register,
        range: { start, end },
        originStride: 1,
        rowsMax,
      },
      { signal },
    )
    if (challenger === undefined) throw new Failure('NO_EVALUATION', 'the challenger was not evaluated')
    return decide(
      toContest({ definition, dataset, trained, candidate, champion }, challenger, incumbent, hashRows),
    )
  }

const toContest = (
  { definition, dataset, trained, candidate, champion }: Omit<Case, 'signal'>,
  challenger: Evaluation,
  incumbent: Evaluation | undefined,
  hashRows: HashRows,
): Contest => {
  const { version, learner } = trained
  const { intervalMs, horizon, zone, latencyMsBudget } = definition
  const { rowMeters, origins, actuals, seasonalNaive, persistence } = challenger
  const own = { rowsSha256: hashRows(challenger) }
  return {
    window: dataset.evaluation,
    rows: { meters: rowMeters, origins, actuals },
    intervalMs,
    horizon,
    zone,
    baselines: { seasonalNaive: seasonalNaive.errors, persistence },
    budget: {
      bytesMax: limits.artifactBytesMax,
      millisecondsPerRowMax: latencyMsBudget,
      parityMax,
    },
    challenger: {
      ...own,
      ...errorsOf(challenger),
      version,
      learner,
      trainEnd: candidate.trainEnd,
      artifact: artifactOf(trained.artifact.bytes, challenger, candidate.parity),
    },
    champion:
      champion === undefined || incumbent === undefined
        ? { ...own, ...errorsOf(seasonalNaive), version: null, learner: 'seasonal-naive', trainEnd: null }
        : {
            ...errorsOf(incumbent),
            rowsSha256: hashRows(incumbent),
            version: champion.version,
            learner: champion.learner,
            trainEnd: trainEndOf(champion),
            artifact: artifactOf(champion.artifact.bytes, incumbent, undefined),
          },
  }
}

/** What was made elsewhere was trained on what its maker says, and not on the snapshot that it was examined on. */
const trainEndOf = ({ learner, parameters, dataset }: VersionRecord): number => {
  const { trainedUntil } = parameters
  return learner === externalLearner && typeof trainedUntil === 'number' ? trainedUntil : dataset.trainEnd
}

const errorsOf = ({ errors, meters, squaredErrors, absoluteErrors }: ForecastErrors): ForecastErrors => ({
  errors,
  meters,
  squaredErrors,
  absoluteErrors,
})

const artifactOf = (
  bytes: number,
  { millisecondsPerRow }: Evaluation,
  parity: number | undefined,
): ArtifactFigures => ({ bytes, millisecondsPerRow, parity: parity ?? null })

const contenderOf = async (
  artifacts: ArtifactStore,
  champion: VersionRecord,
): Promise<{ path: string; spec: FeatureSpec }> => {
  if (champion.envelopeSha256 === null) {
    throw new Failure('NOT_SIGNED', `champion ${champion.version} of ${champion.model} has no manifest`)
  }
  const bytes = await artifacts.get(champion.envelopeSha256)
  const envelope = envelopeSchema.parse(JSON.parse(new TextDecoder().decode(bytes)))
  // Its bytes are those that the registry recorded when it was signed: the hash is the proof here.
  const manifest = openEnvelope(envelope, { payloadType: manifestPayloadType, schema: manifestSchema })
  if (!manifest.ok) throw new Failure(manifest.refusal.code, manifest.refusal.message)
  return {
    path: await fileOf(artifacts, champion.artifact.sha256),
    spec: manifest.value.contract.features,
  }
}

/** A stored file whose content was verified just now. */
const fileOf = async (artifacts: ArtifactStore, sha256: string): Promise<string> => {
  await artifacts.get(sha256)
  const path = await artifacts.path(sha256)
  if (path === undefined) throw new Failure('ARTIFACT_MISSING', `artifact ${sha256} is not in the store`)
  return path
}
