/**
 * Can a gateway afford the average that a study chose? It is trained, exported and run, row by row; where it takes too
 * long or too much room, the best model alone is trained in its place.
 */
import { limits } from '@imlma/protocol/limits'
import { Failure } from '@imlma/protocol/result'
import { openForecastSession } from '../session.onnx.ts'
import type { Choice, Chosen } from './choose.clock.ts'

/** Of a gateway's budget, what a forecast may take here: gateways are several times slower than a control centre. */
const budgetShare = 0.25

/** Of the largest artifact, what an average may be: gateways keep several versions in little flash. */
const bytesShare = 0.1

/** Runs of one row: enough for a p99, few enough to take no time. */
const runs = 200
const warmUpRuns = 20

interface Exported {
  readonly artifact: { readonly artifactPath: string; readonly bytes: number }
  readonly trained: { readonly graph: { readonly inputs: readonly { readonly shape: readonly unknown[] }[] } }
}

/** `latencyMsBudget` left out: time does not matter. */
export const makeAffordable = async <Made extends Exported>(
  choice: Choice,
  make: (chosen: Chosen) => Promise<Made>,
  { latencyMsBudget = Infinity }: { readonly latencyMsBudget?: number },
): Promise<Made> => {
  const { instead } = choice
  if (instead === undefined) return make(choice)
  try {
    const made = await make(choice)
    if (await isAffordable(made, budgetShare * latencyMsBudget)) return made
  } catch (error) {
    // An average whose members cannot be judged together.
    if (!(error instanceof Failure && error.code === 'INCOMPLETE')) throw error
  }
  return make(instead)
}

const isAffordable = async ({ artifact, trained }: Exported, msMax: number): Promise<boolean> => {
  if (artifact.bytes > bytesShare * limits.artifactBytesMax) return false
  if (msMax === Infinity) return true
  const columns = Number(trained.graph.inputs[0]?.shape[1])
  const session = await openForecastSession(artifact.artifactPath)
  try {
    const row = new Float32Array(columns)
    const times: number[] = []
    for (let i = 0; i < warmUpRuns + runs; i++) {
      const startedAt = performance.now()
      await session.run(row, 1)
      if (i >= warmUpRuns) times.push(performance.now() - startedAt)
    }
    return (times.toSorted((a, b) => a - b)[Math.floor(0.99 * runs)] as number) <= msMax
  } finally {
    await session.close()
  }
}
