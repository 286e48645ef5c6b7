import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  addSequence,
  declareOldest,
  emptyCoverage,
  hasRoomFor,
  isStored,
  rangesMax,
  type Coverage,
} from './coverage.ts'

const store = (...sequences: readonly number[]): Coverage => sequences.reduce(addSequence, emptyCoverage)

describe('coverage', () => {
  test('sequences in order are acknowledged one by one', () => {
    expect(store(1, 2, 3)).toEqual({ acknowledged: 3, highest: 3, lost: 0, ahead: [], missing: [] })
  })

  test('a gap holds the acknowledgement back until it is filled', () => {
    const withGap = store(1, 2, 5, 4)
    expect(withGap).toMatchObject({ acknowledged: 2, highest: 5, ahead: [{ first: 4, last: 5 }] })
    expect(addSequence(withGap, 3)).toMatchObject({ acknowledged: 5, ahead: [], lost: 0 })
  })

  test('what an agent no longer holds is lost, and the acknowledgement moves on', () => {
    const after = declareOldest(store(1, 2, 5, 8, 9), 8)
    expect(after).toMatchObject({ acknowledged: 9, highest: 9, lost: 4 })
    expect(after.missing).toEqual([
      { first: 3, last: 4 },
      { first: 6, last: 7 },
    ])
  })

  test('an `oldest` inside an island loses only what is below the island', () => {
    expect(declareOldest(store(3, 4, 5, 6), 5)).toMatchObject({ acknowledged: 6, lost: 2, ahead: [] })
  })

  test('a batch that was thought lost and comes late is taken once', () => {
    const lost = declareOldest(store(1), 6)
    expect(isStored(lost, 3)).toBe(false)
    const late = addSequence(lost, 3)
    expect(late).toMatchObject({ acknowledged: 5, lost: 3 })
    expect(isStored(late, 3)).toBe(true)
    expect(addSequence(late, 3)).toBe(late)
  })

  test('an agent that leaves every second sequence out runs into the bound', () => {
    const sparse = store(...Array.from({ length: rangesMax }, (_, i) => 2 * i + 3))
    expect(sparse.ahead).toHaveLength(rangesMax)
    expect(hasRoomFor(sparse, 2 * rangesMax + 5)).toBe(false)
    expect([1, 2, 4, 2 * rangesMax + 2].map((seq) => hasRoomFor(sparse, seq))).toEqual([
      true,
      true,
      true,
      true,
    ])
  })

  test('agrees with a set of sequences, whatever comes in whatever order', () => {
    const act = fc.oneof(
      fc.record({ kind: fc.constant('add' as const), seq: fc.integer({ min: 1, max: 40 }) }),
      fc.record({ kind: fc.constant('oldest' as const), seq: fc.integer({ min: 1, max: 40 }) }),
    )
    fc.assert(
      fc.property(fc.array(act, { maxLength: 60 }), (acts) => {
        const stored = new Set<number>()
        let floor = 1
        let coverage = emptyCoverage
        for (const { kind, seq } of acts) {
          if (kind === 'add') stored.add(seq)
          else floor = Math.max(floor, seq)
          coverage = kind === 'add' ? addSequence(coverage, seq) : declareOldest(coverage, seq)
        }
        let acknowledged = 0
        while (stored.has(acknowledged + 1) || acknowledged + 1 < floor) acknowledged += 1
        const lost = Array.from({ length: acknowledged }, (_, i) => i + 1).filter((seq) => !stored.has(seq))
        expect(coverage.acknowledged).toBe(acknowledged)
        expect(coverage.lost).toBe(lost.length)
        expect(coverage.highest).toBe(Math.max(floor - 1, ...stored))
        for (let seq = 1; seq <= 42; seq++) expect(isStored(coverage, seq)).toBe(stored.has(seq))
      }),
    )
  })
})
