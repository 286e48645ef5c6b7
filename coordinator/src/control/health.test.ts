import { expect, test } from 'vitest'
import type { AgentRefusals } from '../storage/readings.ts'
import { createHealth } from './health.ts'

const tellProblems = (refusals: readonly AgentRefusals[], at: number, isConnected = true) => {
  const parts = {
    client: { connected: () => isConnected },
    readings: { refusals: () => refusals },
    now: () => at,
  }
  return createHealth(parts, 'mqtt://b')().problems
}
const refused = { site: 'demo', agent: 'gw-1', code: 'BAD_SIGNATURE', batches: 3, lastAt: 5_000_000 }

test('an agent that is refused now is told of, with the code and the time', () => {
  expect(tellProblems([refused], 5_000_000)).toEqual([
    'readings of gw-1 are not counted: BAD_SIGNATURE, 3 batches, last at 1970-01-01T01:23:20.000Z',
  ])
})

test('what is over, and what has nothing to do with a signature, is not told', () => {
  expect(tellProblems([refused], 5_000_000 + 3_600_000)).toEqual([])
  expect(tellProblems([{ ...refused, code: 'MALFORMED' }], 5_000_000)).toEqual([])
})

test('a flood is a number', () => {
  const many = Array.from({ length: 13 }, (_, i) => ({ ...refused, agent: `gw-${i}` }))
  expect(tellProblems(many, 5_000_000)).toHaveLength(11)
  expect(tellProblems(many, 5_000_000).at(-1)).toBe('and 3 more of the kind')
})

test('a broker that is away is told first', () => {
  expect(tellProblems([refused], 5_000_000, false)[0]).toBe('the broker mqtt://b is not connected')
})
