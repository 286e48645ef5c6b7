/**
 * The training process: takes one job from its parent, reports progress, answers with the outcome or with what went
 * wrong, and ends. It also ends when its parent does.
 */
import { Failure } from '@imlma/protocol/result'
import type { TrainingJob } from './job.ts'
import { runTrainingJob } from './run-job.onnx.ts'
import type { TrainerMessage } from './trainer-message.ts'

const send = (message: TrainerMessage): Promise<void> =>
  new Promise((resolve, reject) => {
    if (process.send === undefined) reject(new Error('the training process has a parent'))
    else process.send(message, undefined, {}, (error) => (error === null ? resolve() : reject(error)))
  })

const train = async (job: TrainingJob): Promise<void> => {
  // The parent cancels by killing: nothing in here needs to listen.
  const { signal } = new AbortController()
  const onProgress = (progress: Parameters<Parameters<typeof runTrainingJob>[1]['onProgress']>[0]): void => {
    void send({ kind: 'progress', progress, residentBytes: process.memoryUsage.rss() })
  }
  try {
    await send({ kind: 'outcome', outcome: await runTrainingJob(job, { onProgress, signal }) })
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

process.once('message', (job: TrainingJob) => void train(job))
process.once('disconnect', () => process.exit())
