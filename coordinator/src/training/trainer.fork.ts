/**
 * Training and evaluation in a process of their own: whatever it does (run out of memory, crash natively, never end), the control
 * centre keeps running and gets a `Failure` with a code. To cancel is to kill.
 */
import { fork, type ChildProcess } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { Failure } from '@imlma/protocol/result'
import type { StudyState } from '../tuning/study-state.ts'
import type { Evaluation } from './evaluate.onnx.ts'
import type { TensorNames } from './foreign/check-tensors.ts'
import type { EvaluationJob, ExaminationJob, InspectionJob, TrainingJob, TrainingOutcome } from './job.ts'
import type { TrainingProgress } from './learner.ts'
import type { TrainerAnswer, TrainerMessage, TrainerRequest } from './trainer-message.ts'

export interface TrainerOptions {
  readonly secondsMax: number
  /** Resident memory, in megabytes; the JavaScript heap gets three quarters of it. */
  readonly memoryMbMax: number
  /** How often the resident memory is looked at. */
  readonly watchMs?: number
  /** Another program than the trainer, for tests. */
  readonly program?: URL
}

export interface ExaminerOptions extends Omit<TrainerOptions, 'secondsMax'> {
  /** Nothing is trained, and a file that hangs holds up every training behind it. */
  readonly examinationSecondsMax: number
}

export interface TrainerRun {
  readonly onProgress?: (progress: TrainingProgress) => void
  /** After every trial of a study: what to store, so that a killed training goes on from there. */
  readonly onTrial?: (study: StudyState) => void
  readonly signal?: AbortSignal
}

export interface Trainer {
  /**
   * Rejects with the `Failure` of the job (see `runTrainingJob`), or CANCELLED, TIME_LIMIT, OUT_OF_MEMORY,
   * TRAINER_CRASHED. The process is gone when it settles.
   */
  train(job: TrainingJob, run?: TrainerRun): Promise<TrainingOutcome>
  /** One evaluation per contender, in order; rejects as `train` does, with the codes of `runEvaluationJob`. */
  evaluate(job: EvaluationJob, run?: TrainerRun): Promise<readonly Evaluation[]>
}

/** Models that were made elsewhere: a file that crashes or hangs the runtime takes no more than this process with it. */
export interface Examiner {
  /** Rejects with the `Failure`s of `runInspectionJob`, or as `train` does. */
  inspect(job: InspectionJob, run?: TrainerRun): Promise<TensorNames>
  /** What a training would give; rejects with the `Failure`s of `runExaminationJob`, or as `train` does. */
  examine(job: ExaminationJob, run?: TrainerRun): Promise<TrainingOutcome>
}

/** The end of what a crashing process wrote. */
const stderrCharactersMax = 4_000

export const createTrainer = (options: TrainerOptions): Trainer => ({
  train: async (job, run = {}) => {
    const answer = await askChild({ kind: 'train', job }, run, options)
    if (answer.kind === 'trained') return answer.outcome
    throw notAnswered(answer)
  },
  evaluate: async (job, run = {}) => {
    const answer = await askChild({ kind: 'evaluate', job }, run, options)
    if (answer.kind === 'evaluated') return answer.evaluations
    throw notAnswered(answer)
  },
})

/** Seconds to load a file and look at it: whoever sends one waits for the answer. */
const inspectionSecondsMax = 30

export const createExaminer = (options: ExaminerOptions): Examiner => ({
  inspect: async (job, run = {}) => {
    const secondsMax = Math.min(inspectionSecondsMax, options.examinationSecondsMax)
    const answer = await askChild({ kind: 'inspect', job }, run, { ...options, secondsMax })
    if (answer.kind === 'inspected') return answer.tensors
    throw notAnswered(answer)
  },
  examine: async (job, run = {}) => {
    const limits = { ...options, secondsMax: options.examinationSecondsMax }
    const answer = await askChild({ kind: 'examine', job }, run, limits)
    if (answer.kind === 'trained') return answer.outcome
    throw notAnswered(answer)
  },
})

const askChild = (
  request: TrainerRequest,
  run: TrainerRun,
  options: TrainerOptions,
): Promise<TrainerAnswer> =>
  new Promise((resolve, reject) => {
    if (run.signal?.aborted) {
      reject(cancelled())
      return
    }
    const program = options.program ?? new URL('./trainer.child.ts', import.meta.url)
    const child = fork(program, {
      serialization: 'advanced',
      execArgv: [`--max-old-space-size=${Math.floor(options.memoryMbMax * 0.75)}`],
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    })
    let failure: Failure | undefined
    let answer: TrainerAnswer | undefined
    let stderr = ''
    const kill = (reason: Failure): void => {
      failure ??= reason
      child.kill('SIGKILL')
    }
    const checkMemory = (residentBytes: number): void => {
      if (residentBytes > options.memoryMbMax * 1_048_576) kill(outOfMemory(options.memoryMbMax))
    }
    const onAbort = (): void => kill(cancelled())
    run.signal?.addEventListener('abort', onAbort, { once: true })
    const deadline = setTimeout(
      () => kill(timeLimit(request.kind, options.secondsMax)),
      options.secondsMax * 1_000,
    )
    const watch = setInterval(() => void residentBytesOf(child).then(checkMemory), options.watchMs ?? 250)

    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      stderr = (stderr + text).slice(-stderrCharactersMax)
    })
    child.on('message', (message: TrainerMessage) => {
      switch (message.kind) {
        case 'progress':
          checkMemory(message.residentBytes)
          run.onProgress?.(message.progress)
          break
        case 'trial':
          run.onTrial?.(message.study)
          break
        case 'answer':
          answer = message.answer
          break
        case 'failure':
          failure ??= new Failure(message.code, message.message, {
            retryable: message.retryable,
            hint: message.hint,
          })
          break
      }
    })
    child.on('error', (cause) => {
      failure ??= new Failure('TRAINER_CRASHED', 'the training process cannot be started', {
        cause,
        retryable: true,
      })
    })
    child.on('close', (exitCode, signal) => {
      clearTimeout(deadline)
      clearInterval(watch)
      run.signal?.removeEventListener('abort', onAbort)
      if (failure !== undefined) reject(failure)
      else if (answer !== undefined) resolve(answer)
      else reject(crashed(exitCode, signal, stderr, options.memoryMbMax))
    })
    child.send(request)
  })

/** Resident memory where the system shows it (Linux); elsewhere the process's own reports count. */
const residentBytesOf = async ({ pid }: ChildProcess): Promise<number> => {
  try {
    const [, resident = '0'] = (await readFile(`/proc/${pid}/statm`, 'utf8')).split(' ')
    return Number(resident) * 4_096
  } catch {
    return 0
  }
}

const notAnswered = ({ kind }: TrainerAnswer): Failure =>
  new Failure('TRAINER_CRASHED', `the training process answered another question (${kind})`)

const cancelled = (): Failure =>
  new Failure('CANCELLED', 'the training was cancelled', {
    retryable: true,
    hint: 'start it again when wanted',
  })

const timeLimit = (asked: TrainerRequest['kind'], seconds: number): Failure =>
  asked === 'inspect' || asked === 'examine'
    ? new Failure('TIME_LIMIT', `the file was not examined within ${seconds} s`, {
        hint: 'look for a loop that does not end; where it is only slow, raise training.examinationSecondsMax',
      })
    : new Failure('TIME_LIMIT', `the training took longer than ${seconds} s`, {
        hint: 'raise the time limit of the model, or shorten its window',
      })

const outOfMemory = (memoryMbMax: number): Failure =>
  new Failure('OUT_OF_MEMORY', `the training needs more than ${memoryMbMax} MB`, {
    hint: 'raise the memory limit of the model, or shorten its window',
  })

const crashed = (
  exitCode: number | null,
  signal: string | null,
  stderr: string,
  memoryMbMax: number,
): Failure =>
  /heap out of memory|bad_alloc/.test(stderr)
    ? outOfMemory(memoryMbMax)
    : new Failure(
        'TRAINER_CRASHED',
        `the training process ended with ${signal ?? exitCode}: ${errorLine(stderr)}`,
        {
          retryable: true,
          hint: 'if it happens again with the same snapshot, report it with the message above',
        },
      )

/** The line that names the error; Node ends what it says about one with its own version. */
const errorLine = (text: string): string => {
  const lines = text.trim().split('\n')
  return lines.findLast((line) => /^(?:\w*Error\b|FATAL ERROR)/.test(line)) ?? lines.at(-1) ?? ''
}
