/**
 * The training process: takes one request from its parent, reports progress, answers or says what went
 * wrong, and ends. It also ends when its parent does.
 */
import { Failure } from '@imlma/protocol/result'
import type { StudyState } from '../tuning/study-state.ts'
import { runEvaluationJob } from './evaluate-job.onnx.ts'
import { runExaminationJob } from './foreign/examine-job.onnx.ts'
import { runInspectionJob } from './foreign/inspect.onnx.ts'
import { runTrainingJob } from './run-job.onnx.ts'
import type { TrainerAnswer, TrainerMessage, TrainerRequest } from './trainer-message.ts'

const send = (message: TrainerMessage): Promise<void> =>
  new Promise((resolve, reject) => {
    if (process.send === undefined) reject(new Error('the training process has a parent'))
    else process.send(message, undefined, {}, (error) => (error === null ? resolve() : reject(error)))
  })

const answerTo = async (request: TrainerRequest): Promise<TrainerAnswer> => {
  if (request.kind === 'evaluate') {
    return { kind: 'evaluated', evaluations: await runEvaluationJob(request.job) }
  }
  if (request.kind === 'inspect') return { kind: 'inspected', tensors: await runInspectionJob(request.job) }
  // The parent cancels by killing: nothing in here needs to listen.
  const { signal } = new AbortController()
  const onProgress = (progress: Parameters<Parameters<typeof runTrainingJob>[1]['onProgress']>[0]): void => {
    void send({ kind: 'progress', progress, residentBytes: process.memoryUsage.rss() })
  }
  if (request.kind === 'examine') {
    return { kind: 'trained', outcome: await runExaminationJob(request.job, { onProgress }) }
  }
  const onTrial = (study: StudyState): Promise<void> => send({ kind: 'trial', study })
  return { kind: 'trained', outcome: await runTrainingJob(request.job, { onProgress, onTrial, signal }) }
}

const serve = async (request: TrainerRequest): Promise<void> => {
  try {
    await send({ kind: 'answer', answer: await answerTo(request) })
  } catch (cause) {
    const known = cause instanceof Failure
    const message = cause instanceof Error ? cause.message : String(cause)
    await send({
      kind: 'failure',
      code: known ? cause.code : 'TRAINING_FAILED',
      message,
      retryable: known && cause.retryable,
      hint: (known ? cause.hint : undefined) ?? 'see the log of the training process',
    })
  }
  process.disconnect()
}

process.once('message', (request: TrainerRequest) => void serve(request))
process.once('disconnect', () => process.exit())
