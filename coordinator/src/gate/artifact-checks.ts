/** May the file be served, however good it is? Its parity with the trainer, its latency and its size. */

import { finding, figure, type GateCheck } from './condition.ts'
import type { ArtifactBudget, ArtifactFigures } from './evaluation.ts'

const within = (
  name: string,
  figureName: keyof ArtifactFigures,
  limitName: keyof ArtifactBudget,
  tell: (value: string, limit: string) => string,
): GateCheck => ({
  name,
  otherwise: 'reject',
  look: ({ contest: { champion, challenger, budget } }) => {
    const value = challenger.artifact?.[figureName]
    if (budget === undefined || value === undefined || value === null) return undefined
    const limit = budget[limitName]
    // Written so that NaN is not within.
    const passed = value <= limit
    const detail = `${passed ? '' : 'OVER_BUDGET: '}${tell(figure(value), figure(limit))}`
    return finding(passed, champion.artifact?.[figureName] ?? null, value, detail, { limit })
  },
})

export const artifactIsServable: readonly GateCheck[] = [
  within(
    'parity',
    'parity',
    'parityMax',
    (value, limit) => `the file differs from the trainer by ${value} (relative), ${limit} is allowed`,
  ),
  within(
    'latency',
    'millisecondsPerRow',
    'millisecondsPerRowMax',
    (value, limit) => `a forecast takes ${value} ms in a batch, ${limit} ms are allowed`,
  ),
  within('size', 'bytes', 'bytesMax', (value, limit) => `the file has ${value} bytes, ${limit} are allowed`),
]
