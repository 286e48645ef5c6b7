/** The Open Inference Protocol, version 2, over HTTP: any client of it can ask the models of this agent. */

import { accept, refuse, type Result } from '@imlma/protocol/result'
import type { ActiveModels } from '../serving/active-models.ts'
import type { Batcher } from '../serving/batcher.ts'
import type { LoadedModel } from '../serving/serving.ts'
import { joinBody, splitBody } from './binary.ts'
import { answerJson, type Answer, type Question, type Route } from './exchange.ts'
import { inferRequestSchema, parseRows, toInferResponse, toModelMetadata } from './inference.ts'
import { parseWanted, wantedOutputs, type OutputTensor } from './outputs.ts'
import { refused } from './problem.ts'

export interface InferenceParts {
  readonly models: Pick<ActiveModels, 'active' | 'models'>
  readonly batcher: Batcher
  /** A verified model has answered its golden vectors since the start. */
  readonly ready: () => boolean
  readonly agentVersion: string
}

/** Every route lies below `/v2`. */
export const inferenceRoutes = (parts: InferenceParts): readonly Route[] => {
  const { models, batcher, ready, agentVersion } = parts

  /** The active model of the path; a version in the path must be the one that serves. */
  const modelOf = ({ params }: Question): Result<LoadedModel, 'MODEL_NOT_FOUND' | 'VERSION_NOT_SERVED'> => {
    const name = params['name'] ?? ''
    const version = params['version']
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

  const infer = async (question: Question): Promise<Answer> => {
    const model = modelOf(question)
    if (!model.ok) return refused(model.refusal)
    const { model: name, contract } = model.value
    const room = batcher.admit(name)
    if (!room.ok) return refused(room.refusal)
    const split = splitBody(question.body, question.headerLength)
    if (!split.ok) return refused(split.refusal)
    const request = inferRequestSchema.safeParse(split.value.document)
    if (!request.success) {
      const issue = request.error.issues[0]
      return refused({
        code: 'MALFORMED',
        message: `not an inference request: ${issue?.path.join('.')} ${issue?.message}`,
      })
    }
    const rows = parseRows(request.data, contract, split.value.binary)
    if (!rows.ok) return refused(rows.refusal)
    const wanted = parseWanted(
      request.data.outputs,
      request.data.parameters?.binary_data_output ?? false,
      contract,
    )
    if (!wanted.ok) return refused(wanted.refusal)
    const answer = await batcher.infer(name, rows.value.features, rows.value.rows)
    if (!answer.ok) return refused(answer.refusal)
    const { version, madeBy } = answer.value
    const asked = question.params['version']
    if (asked !== undefined && asked !== String(version)) {
      // Somebody stood in for it: welcome where any version will do, and not the answer of the one that was named.
      return refused({ code: 'RUN_FAILED', message: `version ${asked} did not answer` })
    }
    const outputs = wantedOutputs(contract, wanted.value, rows.value.rows, answer.value)
    if (!outputs.ok) return refused(outputs.refusal)
    return answerTensors(toInferResponse(name, madeBy, request.data.id, outputs.value), outputs.value)
  }

  const ofModel = (tell: (model: LoadedModel) => unknown) => (question: Question) => {
    const model = modelOf(question)
    return model.ok ? answerJson(tell(model.value)) : refused(model.refusal)
  }
  const get = (path: string, answer: Route['answer']): Route => ({
    method: 'GET',
    path: `/v2${path}`,
    answer,
  })
  return [
    get('', () =>
      answerJson({ name: 'imlma-agent', version: agentVersion, extensions: ['binary_tensor_data'] }),
    ),
    get('/health/live', () => answerJson({ live: true })),
    get('/health/ready', () => answerJson({ ready: ready() }, ready() ? 200 : 503)),
    ...['/models/:name', '/models/:name/versions/:version'].flatMap((path): readonly Route[] => [
      get(path, ofModel(toModelMetadata)),
      get(
        `${path}/ready`,
        ofModel(({ model }) => ({ name: model, ready: true })),
      ),
      { method: 'POST', path: `/v2${path}/infer`, answer: infer },
    ]),
  ]
}

/** As JSON alone, or as JSON with the binary tensors behind it. */
const answerTensors = (document: unknown, outputs: readonly OutputTensor[]): Answer => {
  const binary = outputs.flatMap((output) => (output.binary ? [output.values] : []))
  if (binary.length === 0) return answerJson(document)
  const { body, headerLength } = joinBody(document, binary)
  const headers = {
    'content-type': 'application/octet-stream',
    'inference-header-content-length': String(headerLength),
  }
  return { status: 200, headers, body }
}
