/** Routes about the past: triggers and rounds, datasets, artifacts, the chained events and whether the chain holds. */

import { z } from 'zod'
import { accept, refuse } from '@imlma/protocol/result'
import type { Control } from '../control.ts'
import { problem } from '../problem.http.ts'
import { createGuardedRoute, declareRead, limitQuery, sha256Params, type Api } from '../route.http.ts'
import { toAuditEvent } from '../sentences.ts'
import { auditEventViewSchema, chainViewSchema, datasetViewSchema, roundViewSchema } from '../views.ts'

export const addHistoryRoutes = (api: Api, control: Control): void => {
  declareRead(api, '/triggers', {
    operationId: 'listTriggers',
    summary: 'What started training, and what came of it',
    description:
      'One round each: trigger and evidence, dataset, figures of both sides, verdict, update delay.',
    tag: 'history',
    role: 'viewer',
    query: limitQuery(50, 1_000),
    output: z.array(roundViewSchema),
    answer: async ({ query }) => accept(await control.rounds(query.limit)),
  })
  declareRead(api, '/datasets/{sha256}', {
    operationId: 'getDataset',
    summary: 'A frozen dataset',
    description:
      'What it holds and where it comes from; the content itself is the artifact of the same hash.',
    tag: 'history',
    role: 'viewer',
    params: sha256Params,
    output: datasetViewSchema,
    answer: async ({ params }) => {
      const dataset = await control.dataset(params.sha256)
      if (dataset !== undefined) return accept(dataset)
      return refuse('UNKNOWN_DATASET', `there is no dataset ${params.sha256}`, 'versions name their datasets')
    },
  })
  declareRead(api, '/audit', {
    operationId: 'listAuditEvents',
    summary: 'Everything that happened',
    description: 'Events of the hash-chained registry, latest first, each with a sentence for people.',
    tag: 'history',
    role: 'viewer',
    query: limitQuery(100, 5_000),
    output: z.array(auditEventViewSchema),
    answer: async ({ query }) => accept((await control.latestEvents(query.limit)).map(toAuditEvent)),
  })
  declareRead(api, '/audit/verify', {
    operationId: 'verifyAudit',
    summary: 'Does the chain hold?',
    description: 'Recomputes every hash: a changed, removed or re-ordered event is found and named.',
    tag: 'history',
    role: 'viewer',
    output: chainViewSchema,
    answer: async () => accept(await control.verifyChain()),
  })
  addArtifactRoute(api, control)
}

const addArtifactRoute = (api: Api, control: Control): void => {
  const route = createGuardedRoute('viewer', {
    method: 'get',
    path: '/artifacts/{sha256}',
    operationId: 'getArtifact',
    summary: 'A model, a dataset or a signed envelope',
    description: 'The bytes as they are stored; whoever uses them holds them against the hash.',
    tags: ['history'],
    request: { params: sha256Params },
    responses: {
      200: {
        description: 'The content',
        content: { 'application/octet-stream': { schema: z.string().meta({ format: 'binary' }) } },
      },
      404: { description: 'There is none' },
    },
  })
  api.openapi(route, async (c) => {
    const { sha256 } = c.req.valid('param')
    const artifact = await control.artifact(sha256)
    if (artifact === undefined) {
      return problem(c, 404, { code: 'UNKNOWN_ARTIFACT', message: `there is no artifact ${sha256}` })
    }
    return c.body(artifact.stream(), 200, {
      'content-type': 'application/octet-stream',
      'content-length': String(artifact.bytes),
      // Content by its hash never changes.
      etag: `"${sha256}"`,
      'content-disposition': `attachment; filename="${sha256}"`,
    })
  })
}
