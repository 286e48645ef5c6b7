/**
 * The trainer's record of a version: everything a manifest will say that only the training knew. It lies in the
 * artifact store under its own hash from the moment the version is trained, so that a control centre that is killed
 * before it signs does not have to train again.
 */

import { z } from 'zod'
import {
  contractSchema,
  encodeFloat32,
  manifestSchema,
  type Contract,
  type Manifest,
} from '@imlma/protocol/manifest'
import { featureCount } from '@imlma/protocol/features'
import { invariant } from '@imlma/protocol/result'
import type { TrainingOutcome } from '../training/job.ts'
import type { Decision, Trigger } from '../registry/events.ts'
import { contractHead } from './contract-head.ts'
import type { ModelDefinition } from './definition.ts'

const { golden, reference } = manifestSchema.shape

export const candidateSchema = z.object({
  v: z.literal(1),
  contract: contractSchema,
  golden,
  reference: reference.pick({ inputs: true, residuals: true }),
  trainEnd: z.number().int(),
  originStride: z.number().int().min(1),
  /** Largest relative difference between the file and the trainer; records of before it was kept have none. */
  parity: z.number().min(0).optional(),
})
export type Candidate = z.infer<typeof candidateSchema>

/** Allowed difference of a golden output on a gateway, relative to max(1, |output|): another CPU, the same model. */
const goldenTolerance = 1e-4

export const toCandidate = (definition: ModelDefinition, outcome: TrainingOutcome): Candidate => ({
  v: 1,
  contract: toContract(definition, outcome),
  golden: {
    tolerance: goldenTolerance,
    vectors: outcome.golden.map(({ input, output, quantiles }) => ({
      input: encodeFloat32(input),
      output: encodeFloat32(output),
      ...(quantiles && { quantiles: encodeFloat32(quantiles) }),
    })),
  },
  reference: {
    inputs: Object.fromEntries(
      Object.entries(outcome.reference.inputs).map(([name, profile]) => [name, toProfile(profile)]),
    ),
    residuals: toProfile(outcome.reference.residuals),
  },
  trainEnd: outcome.trainEnd,
  originStride: outcome.originStride,
  parity: outcome.parity,
})

/** The same of a model that was made elsewhere: its own contract, and no trainer that its file could differ from. */
export const toForeignCandidate = (
  definition: ModelDefinition,
  outcome: TrainingOutcome,
  contract: Contract,
): Candidate => {
  const { parity: _, ...candidate } = toCandidate(definition, outcome)
  return { ...candidate, contract }
}

const toContract = (
  definition: ModelDefinition,
  { features, quantiles = [] }: TrainingOutcome,
): Contract => ({
  ...contractHead(definition, features),
  inputs: [{ name: 'features', type: 'float32', shape: [null, featureCount(features)] }],
  outputs: [
    { name: 'forecast', type: 'float32', shape: [null, features.horizon] },
    ...(quantiles.length === 0
      ? []
      : [{ name: 'quantiles', type: 'float32' as const, shape: [null, quantiles.length, features.horizon] }]),
  ],
  ...(quantiles.length > 0 && { quantiles: [...quantiles] }),
})

type Profile = TrainingOutcome['reference']['residuals']

const toProfile = ({ histogram, rows }: Profile): Candidate['reference']['residuals'] => ({
  histogram: { edges: [...histogram.edges], counts: [...histogram.counts] },
  rows,
})

export interface ManifestFacts {
  readonly model: string
  readonly version: number
  readonly release: number
  readonly createdAt: number
  readonly artifact: Manifest['artifact']
  readonly parent: number | null
  readonly datasetSha256: string
  readonly study: string | null
  readonly trigger: Trigger
  readonly learner: string
  readonly parameters: Readonly<Record<string, unknown>>
  readonly codeVersion: string
  readonly seed: number
  readonly decision: Decision
  readonly latencyMsBudget: number
}

/** The document that the release key signs. */
export const toManifest = (candidate: Candidate, facts: ManifestFacts): Manifest => ({
  v: 1,
  model: facts.model,
  version: facts.version,
  release: facts.release,
  createdAt: facts.createdAt,
  artifact: facts.artifact,
  contract: candidate.contract,
  golden: candidate.golden,
  reference: {
    ...candidate.reference,
    holdOut: toHoldOut(facts.decision),
    latencyMsBudget: facts.latencyMsBudget,
  },
  lineage: {
    parent: facts.parent,
    datasetSha256: facts.datasetSha256,
    study: facts.study,
    trigger: { kind: facts.trigger.kind, evidence: facts.trigger.evidence },
    learner: facts.learner,
    parameters: { ...facts.parameters },
    codeVersion: facts.codeVersion,
    seed: facts.seed,
  },
  decision: { ...facts.decision },
})

const toHoldOut = ({ challenger: { mse, mae, r2 } }: Decision): Manifest['reference']['holdOut'] => {
  invariant(mse !== null && mae !== null, 'the gate promotes no version without figures')
  return { mse, mae, r2 }
}
