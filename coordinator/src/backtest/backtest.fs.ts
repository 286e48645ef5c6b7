/** A task file to a report: finds the task's data, runs it, and draws where it was asked to. */
import { access, readFile, writeFile } from 'node:fs/promises'
import { dirname, isAbsolute, join, resolve } from 'node:path'
import { accept, Failure, type Result } from '@imlma/protocol/result'
import { drawForecasts } from './plot.ts'
import type { BacktestReport } from './report.ts'
import { runBacktest } from './run.onnx.ts'
import { parseTask } from './task.ts'

export interface BacktestRequest {
  readonly taskPath: string
  /** What relative paths of the command line are relative to. */
  readonly folder: string
  /** Where a relative data path is looked up first. */
  readonly dataFolder?: string
  readonly plotPath?: string
  readonly say: (line: string) => void
}

/** Enough of the test part to see weeks of it, little enough to see its hours. */
const plotSteps = 720

/** Refuses BAD_TASK; throws `Failure` NO_TASK, NO_DATA, PLOT_FAILED and those of a run. */
export const backtest = async (request: BacktestRequest): Promise<Result<BacktestReport, 'BAD_TASK'>> => {
  const { folder, plotPath, say } = request
  const taskPath = resolve(folder, request.taskPath)
  const text = await readFile(taskPath, 'utf8').catch((cause: unknown) => {
    throw new Failure('NO_TASK', `cannot read the task file ${taskPath}: ${reasonOf(cause)}`, {
      cause,
      hint: 'check the path, and that it is a file this user may read; coordinator/tasks has examples',
    })
  })
  const task = parseTask(text)
  if (!task.ok) return task
  const dataPath = await findData(task.value.data, taskPath, request)
  const { report, steps } = await runBacktest(task.value, {
    dataPath,
    say,
    plotSteps: plotPath === undefined ? 0 : plotSteps,
  })
  if (plotPath !== undefined) {
    await writeFile(resolve(folder, plotPath), drawForecasts(task.value.name, steps)).catch(
      (cause: unknown) => {
        throw new Failure('PLOT_FAILED', `cannot write ${plotPath}: ${reasonOf(cause)}`, {
          cause,
          hint: 'give --plot a file in a folder that is there and that this user may write to',
        })
      },
    )
  }
  return accept(report)
}

/** The system's own word for it, where there is one: ENOENT, EACCES, EISDIR … */
const reasonOf = (cause: unknown): string =>
  cause instanceof Error && 'code' in cause ? String(cause.code) : String(cause)

const findData = async (
  data: string,
  taskPath: string,
  { folder, dataFolder }: BacktestRequest,
): Promise<string> => {
  const places = isAbsolute(data)
    ? [data]
    : [
        ...(dataFolder === undefined ? [] : [resolve(folder, dataFolder, data)]),
        join(dirname(taskPath), data),
        join(folder, '..', 'shared', 'data', data),
      ]
  for (const place of places) {
    const found = await access(place).then(
      () => true,
      () => false,
    )
    if (found) return place
  }
  throw new Failure('NO_DATA', `there is no ${data}: looked at ${places.join(', ')}`, {
    hint: 'set IMLMA_DATA to the folder with the data, or correct "data" in the task',
  })
}
