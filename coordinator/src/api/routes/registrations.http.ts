/** Routes by which a model that was made elsewhere asks to compete: its file first, then the contract that it promises. */

import { z } from 'zod'
import { accept, refuse } from '@imlma/protocol/result'
import { limits } from '@imlma/protocol/limits'
import { isUpload } from '../access.http.ts'
import type { Control } from '../control.ts'
import { problem, problemMediaType, problemSchema, statusOf } from '../problem.http.ts'
import {
  createGuardedRoute,
  declareCommand,
  declareRead,
  modelParams,
  sha256Params,
  type Api,
} from '../route.http.ts'
import { registrationViewSchema, sha256Schema } from '../views.ts'

export const addRegistrationRoutes = (api: Api, control: Control): void => {
  const checkModel = async (name: string) => {
    const names = (await control.models()).map(({ model }) => model)
    return names.includes(name)
      ? accept(name)
      : refuse('UNKNOWN_MODEL', `there is no model ${name}`, `models are: ${names.join(', ') || 'none yet'}`)
  }
  addUploadRoute(api, control)
  declareCommand(api, '/models/{name}/versions', {
    operationId: 'registerVersion',
    summary: 'Let a model that was made elsewhere compete',
    description:
      'Takes an uploaded ONNX file and its contract through the same checks and the same gate as a version that was ' +
      'trained here. What is wrong with the file itself is said at once; the run decides the rest, and waits where ' +
      'another run of the model is under way. The same request again, while it waits or runs, is the same run.',
    tag: 'models',
    role: 'operator',
    params: modelParams,
    body: z.object({
      artifact: sha256Schema,
      contract: z.record(z.string(), z.unknown()),
      note: z.string().trim().max(500).default(''),
    }),
    output: z.object({ run: z.string(), waitsFor: z.number().int().min(0) }),
    answer: async ({ params, body, by }) => {
      const model = await checkModel(params.name)
      return model.ok ? control.register(params.name, { ...body, by }) : model
    },
  })
  declareRead(api, '/models/{name}/registrations', {
    operationId: 'listRegistrations',
    summary: 'Models from elsewhere that wait for their run',
    description: 'First come, first served; a run that has begun is among the rounds.',
    tag: 'models',
    role: 'viewer',
    params: modelParams,
    output: z.array(registrationViewSchema),
    answer: async ({ params }) => {
      const model = await checkModel(params.name)
      return model.ok ? accept(await control.registrations(params.name)) : model
    },
  })
}

const addUploadRoute = (api: Api, control: Control): void => {
  const refusal = {
    description: 'Why not, with its code and a hint',
    content: { [problemMediaType]: { schema: problemSchema } },
  }
  const route = createGuardedRoute('operator', {
    method: 'put',
    path: '/uploads/{sha256}',
    operationId: 'uploadFile',
    summary: 'Send the file of a model',
    description:
      `At most ${limits.artifactBytesMax} bytes. It is kept for the registration that follows; a file of another ` +
      'hash than the path says, or one that breaks off, is thrown away.',
    tags: ['models'],
    request: {
      params: sha256Params,
      body: {
        required: true,
        content: { 'application/octet-stream': { schema: z.string().meta({ format: 'binary' }) } },
      },
    },
    responses: {
      201: {
        description: 'It is there',
        content: { 'application/json': { schema: z.object({ sha256: sha256Schema, bytes: z.number() }) } },
      },
      400: refusal,
      403: refusal,
      409: refusal,
      413: refusal,
      415: refusal,
    },
  })
  api.openapi(route, async (c) => {
    const { sha256 } = c.req.valid('param')
    if (!isUpload(c.req)) {
      const hint = 'send the header content-type: application/octet-stream'
      return problem(c, 415, {
        code: 'NOT_OCTETS',
        message: 'the body must be the file itself',
        hint,
      }) as never
    }
    if (Number(c.req.header('content-length') ?? 0) > limits.artifactBytesMax) {
      const message = `a model has at most ${limits.artifactBytesMax} bytes`
      return problem(c, 413, { code: 'TOO_LARGE', message, hint: 'make the model smaller' }) as never
    }
    const received = await control.upload(sha256, c.req.raw.body ?? nothing(), c.get('principal')?.name)
    return (
      received.ok
        ? c.json({ sha256, ...received.value }, 201)
        : problem(c, statusOf(received.refusal.code), received.refusal)
    ) as never
  })
}

async function* nothing(): AsyncGenerator<Uint8Array> {}
