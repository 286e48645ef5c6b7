/**
 * What happens in place of a training when a run is about a model that was made elsewhere: its file is examined on the
 * frozen snapshot, under the contract that was accepted with it.
 */

import type { Contract } from '@imlma/protocol/manifest'
import { Failure } from '@imlma/protocol/result'
import type { ArtifactStore } from '../../storage/artifacts.ts'
import type { TrainingOutcome } from '../../training/job.ts'
import type { Examiner } from '../../training/trainer.fork.ts'
import type { ModelDefinition } from '../definition.ts'
import type { PerformEffect } from '../lifecycle.ts'
import type { Training } from '../run.ts'
import { checkDefinition, registrationRecordSchema } from './contract-file.ts'
import { registeredIn } from './registrations.ts'

export interface Examined {
  readonly outcome: TrainingOutcome
  readonly contract: Contract
}

/** Undefined where the run is an ordinary training. Throws `Failure` as `Examiner.examine` does, and CONTRACT_MISMATCH. */
export type ExamineRegistration = (
  definition: ModelDefinition,
  state: Pick<Training, 'trigger' | 'dataset'>,
  context: Pick<Parameters<PerformEffect>[2], 'signal' | 'onProgress'>,
) => Promise<Examined | undefined>

/** Rows that it is asked with: enough for a profile of its errors, a quarter of a training's. */
const rowsMax = 10_000

interface ExamineParts {
  readonly artifacts: Pick<ArtifactStore, 'get' | 'path'>
  readonly examiner: (definition: ModelDefinition) => Pick<Examiner, 'examine'>
}

export const createExamine =
  ({ artifacts, examiner }: ExamineParts): ExamineRegistration =>
  async (definition, { trigger, dataset }, { signal, onProgress }) => {
    const registered = registeredIn(trigger)
    if (registered === undefined) return undefined
    const record = await artifacts.get(registered.contractSha256)
    const { contract, provenance } = registrationRecordSchema.parse(
      JSON.parse(new TextDecoder().decode(record)),
    )
    const fits = checkDefinition(contract, definition)
    if (!fits.ok) throw new Failure(fits.refusal.code, fits.refusal.message, { hint: changedSince })
    const outcome = await examiner(definition).examine(
      {
        path: await pathOf(artifacts, registered.artifactSha256),
        sha256: registered.artifactSha256,
        dataset: { path: await pathOf(artifacts, dataset.sha256), sha256: dataset.sha256 },
        task: { ...definition, rowsMax: Math.min(rowsMax, definition.training.rowsMax) },
        features: contract.features,
        input: contract.inputs[0]?.name,
        output: contract.outputs[0]?.name,
        latencyMsBudget: definition.latencyMsBudget,
        trainedUntil: provenance.trainedUntil,
        provenance,
      },
      { signal, onProgress: ({ phase, fraction }) => onProgress({ fraction, detail: phase }) },
    )
    return { outcome, contract }
  }

const changedSince = 'the definition was changed after the file was registered: register it again'

const pathOf = async (artifacts: Pick<ArtifactStore, 'path'>, sha256: string): Promise<string> => {
  const path = await artifacts.path(sha256)
  if (path !== undefined) return path
  throw new Failure('ARTIFACT_MISSING', `${sha256} is not in the artifact store`, {
    hint: 'restore the artifacts folder, or register the file again',
  })
}
