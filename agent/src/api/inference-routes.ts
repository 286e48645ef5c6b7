/** The Open Inference Protocol, version 2, over HTTP: any client of it can ask the models of this agent. */

import { Hono, type Context } from 'hono'
import { accept, refuse, type Result } from '@imlma/protocol/result'
import type { ActiveModels } from '../serving/active-models.ts'
import type { Batcher } from '../serving/batcher.ts'
import type { LoadedModel } from '../serving/serving.ts'
import { inferRequestSchema, parseRows, toInferResponse, toModelMetadata } from './inference.ts'
import { refused } from './problem.http.ts'

export interface InferenceParts {
  readonly models: Pick<ActiveModels, 'active' | 'models'>
  readonly batcher: Batcher
  /** A verified model has answered its golden vectors since the start. */
  readonly ready: () => boolean
  readonly agentVersion: string
}

/** Routes below `/v2`. */
export const createInferenceRoutes = ({ models, batcher, ready, agentVersion }: InferenceParts): Hono => {
  const app = new Hono()

  /** The active model of the path; a version in the path must be the one that serves. */
  const modelOf = (c: Context): Result<LoadedModel, 'MODEL_NOT_FOUND' | 'VERSION_NOT_SERVED'> => {
    const name = c.req.param('name') ?? ''
    const version = c.req.param('version')
    const model = models.active(name)
    if (model === undefined) {
      const served = models.models().map((each) => each.model)
      return refuse(
        'MODEL_NOT_FOUND',
        `no version of ${name} is served`,
        `served are: ${served.join(', ') || 'none'}`,
      )
    }
    if (version !== undefined && version !== String(model.version)) {
      return refuse('VERSION_NOT_SERVED', `version ${version} is not served, version ${model.version} is`)
    }
    return accept(model)
  }

  const infer = async (c: Context): Promise<Response> => {
    const model = modelOf(c)
    if (!model.ok) return refused(c, model.refusal)
    const { model: name, contract } = model.value
    const body: unknown = await c.req.json().catch(() => undefined)
    const request = inferRequestSchema.safeParse(body)
    if (!request.success) {
      const issue = request.error.issues[0]
      return refused(c, {
        code: 'MALFORMED',
        message: `not an inference request: ${issue?.path.join('.')} ${issue?.message}`,
      })
    }
    const rows = parseRows(request.data, contract)
    if (!rows.ok) return refused(c, rows.refusal)
    const answer = await batcher.infer(name, rows.value.features, rows.value.rows)
    if (!answer.ok) return refused(c, answer.refusal)
    const { version, values } = answer.value
    if (!values.every(Number.isFinite)) {
      return refused(c, { code: 'NOT_FINITE', message: `version ${version} gave no number for this input` })
    }
    return c.json(
      toInferResponse(name, version, contract, request.data.id, { values, rows: rows.value.rows }),
    )
  }

  app.get('/', (c) => c.json({ name: 'imlma-agent', version: agentVersion, extensions: [] }))
  app.get('/health/live', (c) => c.json({ live: true }))
  app.get('/health/ready', (c) => c.json({ ready: ready() }, ready() ? 200 : 503))
  for (const path of ['/models/:name', '/models/:name/versions/:version'] as const) {
    app.get(path, (c) => {
      const model = modelOf(c)
      return model.ok ? c.json(toModelMetadata(model.value)) : refused(c, model.refusal)
    })
    app.get(`${path}/ready`, (c) => {
      const model = modelOf(c)
      return model.ok ? c.json({ name: model.value.model, ready: true }) : refused(c, model.refusal)
    })
    app.post(`${path}/infer`, infer)
  }
  return app
}
