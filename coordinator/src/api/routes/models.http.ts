/** Routes about models: definitions and trigger progress, versions, comparison, lineage, forecasts, retraining. */

import { z } from 'zod'
import { accept, refuse, type Result } from '@imlma/protocol/result'
import { bomViewSchema, toBom } from '../bom.ts'
import { toComparison } from '../comparison.ts'
import type { Control } from '../control.ts'
import { toLineage } from '../lineage.ts'
import {
  declareCommand,
  declareRead,
  modelParams,
  numberInPath,
  versionParams,
  type Api,
} from '../route.http.ts'
import {
  comparisonViewSchema,
  forecastsViewSchema,
  lineageViewSchema,
  modelViewSchema,
  studyViewSchema,
  versionViewSchema,
  type ModelView,
  type VersionView,
} from '../views.ts'

export const addModelRoutes = (api: Api, control: Control): void => {
  const find = findIn(control)

  declareRead(api, '/models', {
    operationId: 'listModels',
    summary: 'All models',
    description: 'Definition, champion, progress towards the next training and the run that is under way.',
    tag: 'models',
    role: 'viewer',
    output: z.array(modelViewSchema),
    answer: async () => accept(await control.models()),
  })
  declareRead(api, '/models/{name}', {
    operationId: 'getModel',
    summary: 'One model',
    description: 'The same as in the list of models, for one of them.',
    tag: 'models',
    role: 'viewer',
    params: modelParams,
    output: modelViewSchema,
    answer: ({ params }) => find.model(params.name),
  })
  declareRead(api, '/models/{name}/versions', {
    operationId: 'listVersions',
    summary: 'All versions of a model',
    description: 'Oldest first, each with its dataset, the gate’s record and its live performance.',
    tag: 'models',
    role: 'viewer',
    params: modelParams,
    output: z.array(versionViewSchema),
    answer: ({ params }) => find.versions(params.name),
  })
  declareRead(api, '/models/{name}/versions/{n}', {
    operationId: 'getVersion',
    summary: 'One version',
    description: 'Everything that is recorded about it.',
    tag: 'models',
    role: 'viewer',
    params: versionParams,
    output: versionViewSchema,
    answer: ({ params }) => find.version(params.name, params.n),
  })
  declareRead(api, '/models/{name}/versions/{n}/bom', {
    operationId: 'getBillOfMaterials',
    summary: 'What a version is made of',
    description: 'CycloneDX 1.6 with its machine-learning part: model card, dataset and hashes.',
    tag: 'models',
    role: 'viewer',
    params: versionParams,
    output: bomViewSchema,
    answer: async ({ params }) => {
      const version = await find.version(params.name, params.n)
      return version.ok ? accept(toBom(version.value)) : version
    },
  })
  declareRead(api, '/models/{name}/versions/{n}/lineage', {
    operationId: 'getLineage',
    summary: 'Where a version comes from',
    description: 'Ancestors, and the steps that made it, each with the hash that proves it.',
    tag: 'models',
    role: 'viewer',
    params: versionParams,
    output: lineageViewSchema,
    answer: async ({ params }) => {
      const versions = await find.versions(params.name)
      if (!versions.ok) return versions
      const lineage = toLineage(versions.value, params.n)
      return lineage === undefined ? unknownVersion(params.name, params.n) : accept(lineage)
    },
  })
  declareRead(api, '/models/{name}/compare', {
    operationId: 'compareVersions',
    summary: 'Two versions side by side',
    description: 'Figures with their sample sizes; on the gate’s common window where it judged these two.',
    tag: 'models',
    role: 'viewer',
    params: modelParams,
    query: z.object({ a: numberInPath, b: numberInPath }),
    output: comparisonViewSchema,
    answer: async ({ params, query }) => {
      const a = await find.version(params.name, query.a)
      if (!a.ok) return a
      const b = await find.version(params.name, query.b)
      return b.ok ? accept(toComparison(a.value, b.value)) : b
    },
  })
  declareRead(api, '/models/{name}/studies', {
    operationId: 'listStudies',
    summary: 'Tuning studies',
    description: 'Searches for hyper-parameters; empty as long as nothing is tuned.',
    tag: 'models',
    role: 'viewer',
    params: modelParams,
    output: z.array(studyViewSchema),
    answer: async ({ params }) => {
      const model = await find.model(params.name)
      return model.ok ? accept(await control.studies(params.name)) : model
    },
  })
  declareRead(api, '/models/{name}/forecasts', {
    operationId: 'listForecasts',
    summary: 'Forecasts against actuals',
    description: 'Samples that the agents reported, oldest first; `meter` picks one of them.',
    tag: 'models',
    role: 'viewer',
    params: modelParams,
    query: z.object({ meter: z.string().min(1).max(64).optional() }),
    output: forecastsViewSchema,
    answer: async ({ params, query }) => {
      const model = await find.model(params.name)
      return model.ok ? accept(await control.forecasts(params.name, query.meter)) : model
    },
  })
  declareCommand(api, '/models/{name}/retrain', {
    operationId: 'retrainModel',
    summary: 'Train now',
    description: 'The manual trigger. Single flight and the minimum of readings still hold.',
    tag: 'models',
    role: 'operator',
    params: modelParams,
    body: z.object({ reason: z.string().trim().min(1).max(500) }),
    output: z.object({ run: z.string() }),
    answer: async ({ params, body, by }) => {
      const model = await find.model(params.name)
      return model.ok ? control.retrain(params.name, `${body.reason} (${by})`) : model
    },
  })
}

/** Look-ups that refuse with a code and say what there is instead. */
const findIn = (control: Control) => {
  const model = async (name: string): Promise<Result<ModelView>> => {
    const models = await control.models()
    const found = models.find((candidate) => candidate.model === name)
    if (found !== undefined) return accept(found)
    const names = models.map((candidate) => candidate.model).join(', ')
    return refuse('UNKNOWN_MODEL', `there is no model ${name}`, `models are: ${names || 'none yet'}`)
  }
  const versions = async (name: string): Promise<Result<readonly VersionView[]>> => {
    const found = await model(name)
    return found.ok ? accept(await control.versions(name)) : found
  }
  const version = async (name: string, number: number): Promise<Result<VersionView>> => {
    const all = await versions(name)
    if (!all.ok) return all
    const found = all.value.find((candidate) => candidate.version === number)
    return found === undefined ? unknownVersion(name, number, all.value) : accept(found)
  }
  return { model, versions, version }
}

const unknownVersion = (name: string, number: number, versions: readonly VersionView[] = []) =>
  refuse(
    'UNKNOWN_VERSION',
    `${name} has no version ${number}`,
    versions.length === 0
      ? 'see the list of versions'
      : `versions are ${versions[0]?.version} to ${versions.at(-1)?.version}`,
  )
