import { describe, expect, test } from 'vitest'
import type { ChainedEvent, RegistryEvent } from '../registry/events.ts'
import { delaysOf } from './delays.ts'

const fact = (at: number, event: Partial<RegistryEvent> & Pick<RegistryEvent, 'kind'>): ChainedEvent => ({
  seq: at,
  at,
  event: event as RegistryEvent,
  previousHash: '',
  hash: '',
})
const deployed = (at: number, fetch: number): ChainedEvent =>
  fact(at, { kind: 'version-deployed', durationsMs: { fetch, verify: 5, swap: 10 } })

const decided = [
  fact(1_000, {
    kind: 'retraining-triggered',
    trigger: { kind: 'volume', evidence: { detectMs: 150 }, at: 1_000 },
  }),
  fact(1_040, { kind: 'dataset-frozen' }),
  fact(3_040, { kind: 'version-trained' }),
  fact(3_540, { kind: 'version-decided' }),
]
const signed = fact(3_560, { kind: 'version-signed' })

describe('the delay of an update', () => {
  test('is accounted for step by step, the slowest agent counting', () => {
    const assigned = fact(3_600, { kind: 'version-assigned' })
    expect(delaysOf([...decided, signed, assigned, deployed(4_000, 20), deployed(5_600, 25)], 9_999)).toEqual(
      {
        detect: 150,
        queue: 40,
        train: 2_000,
        gate: 500,
        sign: 20,
        publish: 40,
        fetch: 25,
        verify: 5,
        swap: 10,
        probation: 1_960,
        total: 4_750,
      },
    )
  })

  test('counts nothing twice when an agent is quicker than our record of the assignment', () => {
    const late = fact(3_700, { kind: 'version-assigned' })
    const delays = delaysOf([...decided, signed, deployed(3_650, 60), late], 9_999)
    expect(delays).toMatchObject({ publish: 15, fetch: 60, verify: 5, swap: 10, probation: 0, total: 2_800 })
  })

  test('ends with the decision where nothing was signed', () => {
    expect(delaysOf(decided, 9_999)).toMatchObject({
      sign: null,
      publish: null,
      probation: null,
      total: 2_690,
    })
  })
})
