/**
 * The contract file of a model that was made elsewhere: what goes into its file, what comes out, and who made it with
 * what. It is the contract that the manifest will hold; whatever the model's definition says already may be left out,
 * and where both say something they must say the same.
 *
 *   { "features": { "shared": […], "step": […] }, "trainedUntil": "2026-03-01T00:00:00Z",
 *     "framework": "scikit-learn 1.8", "author": "load research" }
 */

import { z } from 'zod'
import { contextLengthOf, featureCount, featureSpecSchema, type FeatureSpec } from '@imlma/protocol/features'
import { limits } from '@imlma/protocol/limits'
import { contractSchema, type Contract } from '@imlma/protocol/manifest'
import { accept, refuse, type Result } from '@imlma/protocol/result'
import { dayMs } from '@imlma/protocol/series'
import { epochMsSchema, nameSchema } from '@imlma/protocol/wire'
import { contractHead } from '../contract-head.ts'
import type { ModelDefinition } from '../definition.ts'

const { task, quantity, unit, register, intervalMs, contextLength, horizon, inputs, outputs } =
  contractSchema.shape

const provenanceSchema = z.object({
  /** What trained and exported it. */
  framework: z.string().trim().min(1).max(200),
  author: z.string().trim().min(1).max(200),
  /** No reading at or after this time was used to make it: the gate judges on later ones. UTC epoch ms. */
  trainedUntil: epochMsSchema,
  note: z.string().max(500).default(''),
})
export type Provenance = z.infer<typeof provenanceSchema>

// Strict: a field with a typing error would otherwise be filled in as if it had been left out.
const contractFileSchema = z.strictObject({
  model: nameSchema.optional(),
  task: task.optional(),
  quantity: quantity.optional(),
  unit: unit.optional(),
  register: register.optional(),
  intervalMs: intervalMs.optional(),
  contextLength: contextLength.optional(),
  horizon: horizon.optional(),
  inputs: inputs.optional(),
  /** One: of a model from elsewhere the forecast is served, and no quantiles. */
  outputs: outputs.max(1).optional(),
  /** A feature spec; of it, too, what the definition says may be left out. */
  features: z.record(z.string(), z.unknown()),
  ...provenanceSchema.shape,
  trainedUntil: z.union([
    epochMsSchema,
    z.iso.datetime({ offset: true }).transform((text) => Date.parse(text)),
  ]),
})
type ContractFile = z.infer<typeof contractFileSchema>

/** A contract whose tensors may still be without names: those are in the model file. */
export interface ContractDraft {
  readonly features: FeatureSpec
  readonly input: string | undefined
  readonly output: string | undefined
  readonly provenance: Provenance
}

/** What is kept of a registration, and examined when its turn has come. */
export const registrationRecordSchema = z.object({
  v: z.literal(1),
  contract: contractSchema,
  provenance: provenanceSchema,
})
export type RegistrationRecord = z.infer<typeof registrationRecordSchema>

type ContractRefusal = 'MALFORMED' | 'CONTRACT_MISMATCH'

const where = 'the fields of a contract file are in the README, under "A model made elsewhere"'

export const parseContractFile = (
  document: unknown,
  definition: ModelDefinition,
): Result<ContractDraft, ContractRefusal> => {
  const file = contractFileSchema.safeParse(document)
  if (!file.success) return malformed(file.error)
  const features = featureSpecSchema
    .transform(withGaps(file.data))
    .safeParse(filledIn(file.data.features, definition))
  if (!features.success) return malformed(features.error, 'features: ')
  if (featureCount(features.data) === 0) return refuse('MALFORMED', 'features: there is no term', where)
  const { framework, author, trainedUntil, note } = file.data
  const differences = [
    ...differencesOf(file.data, definition),
    ...misfitsOf(file.data, features.data, definition),
  ]
  if (differences.length > 0) return mismatch(differences)
  return accept({
    features: features.data,
    input: file.data.inputs?.[0]?.name,
    output: file.data.outputs?.[0]?.name,
    provenance: { framework, author, trainedUntil, note },
  })
}

/** The contract once the names of the file's tensors are known. */
export const toRegistrationRecord = (
  { features, provenance }: ContractDraft,
  { input, output }: { readonly input: string; readonly output: string },
  definition: ModelDefinition,
): RegistrationRecord => ({
  v: 1,
  contract: {
    ...contractHead(definition, features),
    inputs: [{ name: input, type: 'float32', shape: [null, featureCount(features)] }],
    outputs: [{ name: output, type: 'float32', shape: [null, features.horizon] }],
  },
  provenance,
})

/** Is a contract that was accepted earlier still one of this definition? It may have been changed since. */
export const checkDefinition = (
  contract: Contract,
  definition: ModelDefinition,
): Result<void, 'CONTRACT_MISMATCH'> => {
  const differences = differencesOf(contract, definition)
  return differences.length === 0 ? accept(undefined) : mismatch(differences)
}

/** A spec of which only the terms are given is about the definition's interval, horizon and calendar. */
const filledIn = (features: ContractFile['features'], definition: ModelDefinition): object => ({
  v: 1,
  intervalMs: definition.intervalMs,
  horizon: definition.horizon,
  zone: definition.zone,
  holidays: definition.holidays,
  seasonSteps: Math.min(limits.contextLengthMax, Math.max(1, Math.floor(dayMs / definition.intervalMs))),
  missingMax: 0,
  shared: [],
  step: [],
  ...features,
})

/** As many gaps as our own features allow: a model that stays silent after one lost reading helps nobody. */
const withGaps =
  ({ features }: ContractFile) =>
  (spec: FeatureSpec): FeatureSpec =>
    'missingMax' in features ? spec : { ...spec, missingMax: Math.floor(contextLengthOf(spec) / 4) }

const shared = ['quantity', 'unit', 'register', 'intervalMs', 'horizon'] as const

const differencesOf = (
  said: { readonly [Name in (typeof shared)[number]]?: Contract[Name] | undefined } & {
    readonly model?: string | undefined
  },
  definition: ModelDefinition,
): readonly string[] => [
  ...(said.model === undefined || said.model === definition.name
    ? []
    : [`model is ${said.model}, the file was sent for ${definition.name}`]),
  ...shared.flatMap((name) => {
    const value = said[name]
    return value === undefined || value === definition[name]
      ? []
      : [`${name} is ${value}, the definition says ${definition[name]}`]
  }),
]

/** What does not fit within the file itself. */
const misfitsOf = (
  file: ContractFile,
  features: FeatureSpec,
  definition: ModelDefinition,
): readonly string[] => {
  const widths = { inputs: featureCount(features), outputs: features.horizon }
  const reach = contextLengthOf(features)
  return [
    ...(['intervalMs', 'horizon'] as const).flatMap((name) =>
      features[name] === definition[name]
        ? []
        : [`${name} of the features is ${features[name]}, the definition says ${definition[name]}`],
    ),
    ...(file.contextLength === undefined || file.contextLength === reach
      ? []
      : [`contextLength is ${file.contextLength}, the features reach back ${reach} steps`]),
    ...(['inputs', 'outputs'] as const).flatMap((side) => {
      const shape = file[side]?.[0]?.shape
      return shape === undefined || (shape.length === 2 && shape[0] === null && shape[1] === widths[side])
        ? []
        : [
            `${side} have the shape ${JSON.stringify(shape)}, features and horizon need [null,${widths[side]}]`,
          ]
    }),
  ]
}

const malformed = (error: z.ZodError, prefix = '') =>
  refuse(
    'MALFORMED',
    error.issues
      .slice(0, 5)
      .map(({ path, message }) => `${prefix}${path.join('.') || 'contract'}: ${message}`)
      .join('; ')
      .slice(0, 500),
    where,
  )

const mismatch = (differences: readonly string[]) =>
  refuse(
    'CONTRACT_MISMATCH',
    differences.join('; '),
    'leave out what the model’s definition says, or register the file for the model that it was made for',
  )
