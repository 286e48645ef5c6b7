import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { chiSquaredLimit } from './chi-squared.ts'
import { hellingerOf, jensenShannonOf, klOf, psiOf } from './distances.ts'
import { createHistogramCounter, histogramOf, mergeHistograms, quantileEdges, rowsOf } from './histogram.ts'
import { countBetween, kolmogorovSmirnovOf, sturgesEdges, wassersteinOf } from './samples.ts'
import { decidePsi } from './verdict.ts'

const vector = JSON.parse(readFileSync(new URL('../../vectors/drift.json', import.meta.url), 'utf8'))

const root = join(import.meta.dirname, '../../..')
const dataFolder = process.env['IMLMA_DATA'] ?? join(root, '../shared/data')
const referencePath = join(dataFolder, 'drift_reference_values.json')
const hasData = existsSync(referencePath)

/** Every figure over two samples, by the rules of the reference values. */
const compare = (reference: readonly number[], current: readonly number[]) => {
  const both = [...reference, ...current]
  const edges = sturgesEdges(both)
  const [p, q] = [countBetween(reference, edges), countBetween(current, edges)]
  // The reference computes Hellinger's bins over the distinct values.
  const distinct = sturgesEdges([...new Set(both)])
  const ks = kolmogorovSmirnovOf(reference, current)
  return {
    bins: p.length,
    psi: psiOf(p, q),
    kl: klOf(p, q),
    jsDistance: jensenShannonOf(p, q),
    wassersteinNorm: wassersteinOf(reference, current),
    ksStatistic: ks.statistic,
    ksP: ks.p,
    hellinger: hellingerOf(countBetween(reference, distinct), countBetween(current, distinct)),
  }
}

const expectClose = (value: number, expected: number): void =>
  expect(Math.abs(value - expected)).toBeLessThanOrEqual(1e-9 * Math.max(1e-3, Math.abs(expected)))

describe('distances between samples', () => {
  test('agree with numpy and scipy', () => {
    const figures = compare(vector.reference, vector.current)
    for (const [name, value] of Object.entries(figures)) expectClose(value, vector[name])
    sturgesEdges([...vector.reference, ...vector.current]).forEach((edge, i) =>
      expectClose(edge, vector.edges[i]),
    )
  })

  test('are zero between a sample and itself', () => {
    const figures = compare(vector.reference, vector.reference)
    expect(figures).toMatchObject({
      psi: 0,
      kl: 0,
      jsDistance: 0,
      wassersteinNorm: 0,
      ksStatistic: 0,
      ksP: 1,
    })
  })

  test('the limit law of Kolmogorov-Smirnov continues the exact one', () => {
    const sample = (length: number, shift: number) =>
      Float64Array.from({ length }, (_, i) => ((i * 0.618034) % 1) + shift)
    const exact = kolmogorovSmirnovOf(sample(5_400, 0), sample(5_400, 0.025)).p
    const limit = kolmogorovSmirnovOf(sample(5_600, 0), sample(5_600, 0.025)).p
    expect(limit).toBeLessThan(exact)
    expect(limit).toBeGreaterThan(exact / 3)
  })
})

describe.skipIf(!hasData)(`distances on real data${hasData ? '' : ` (skipped: no ${referencePath})`}`, () => {
  const columnOf = (file: string, name: string): number[] => {
    const [head = '', ...lines] = readFileSync(join(dataFolder, file), 'utf8').trim().split('\n')
    const at = head.split(',').indexOf(name)
    return lines.map((line) => Number(line.split(',')[at]))
  }
  const samplesOf = (name: string): [number[], number[]] => {
    const column = /^ETTh1\.(\w+) /.exec(name)
    if (column !== null) {
      const values = columnOf('ETTh1.csv', column[1] as string)
      const train = values.slice(0, 8_640)
      if (name.includes('even vs odd'))
        return [train.filter((_, i) => i % 2 === 0), train.filter((_, i) => i % 2 === 1)]
      return name.includes('0..719')
        ? [values.slice(0, 720), values.slice(720, 1_440)]
        : [train, values.slice(11_520, 14_400)]
    }
    const demand = columnOf('vic_electricity.csv', 'Demand')
    const month = demand.slice(0, 1_488)
    if (name.includes('*1.1')) return [month, month.map((value) => value * 1.1)]
    if (name.includes('/1000')) return [month, month.map((value) => value / 1_000)]
    if (name.includes('stuck')) return [month, month.map(() => month.at(-1) as number)]
    return [month, demand.slice(17_568, 19_056)]
  }
  const cases: Record<string, Record<string, number>> = hasData
    ? JSON.parse(readFileSync(referencePath, 'utf8'))
    : {}

  test.each(Object.keys(cases))('%s', (name) => {
    const expected = cases[name] as Record<string, number>
    const figures = compare(...samplesOf(name))
    expect(figures.bins).toBe(expected['bins'])
    expectClose(figures.psi, expected['psi'] as number)
    expectClose(figures.kl, expected['kl'] as number)
    expectClose(figures.jsDistance, expected['js_distance'] as number)
    expectClose(figures.wassersteinNorm, expected['wasserstein_norm'] as number)
    expectClose(figures.ksStatistic, expected['ks_stat'] as number)
    expectClose(figures.ksP, expected['ks_p'] as number)
    expectClose(figures.hellinger, expected['hellinger'] as number)
  })
})

describe('histograms', () => {
  test('count the tails, and a value on an edge above it', () => {
    expect(histogramOf([-5, 0, 0.5, 1, 9, Number.NaN], [0, 1]).counts).toEqual([1, 2, 2])
  })

  test('merge to the counts of all values', () => {
    const edges = [10, 11, 12]
    const [a, b] = [histogramOf(vector.reference, edges), histogramOf(vector.current, edges)]
    expect(mergeHistograms(a, b)).toEqual(histogramOf([...vector.reference, ...vector.current], edges))
    expect(() => mergeHistograms(a, histogramOf([], [1]))).toThrow('same edges')
  })

  test('at quantile edges hold equally many values each', () => {
    const edges = quantileEdges(vector.reference, 10)
    expect(histogramOf(vector.reference, edges).counts).toEqual(Array.from({ length: 10 }, () => 6))
    expect(quantileEdges([3, 3, 3], 10)).toEqual([3])
    expect(quantileEdges([0, 0, 0, 0, 1], 4)).toEqual([0])
    expect(quantileEdges([], 4)).toEqual([0])
  })
})

describe('the verdict on a PSI', () => {
  const edges = [0.25, 0.5, 0.75]
  const uniform = (rows: number, scale = 1) => {
    const counter = createHistogramCounter(edges)
    for (let i = 0; i < rows; i++) counter.add(((i + 0.5) / rows) ** scale)
    return counter.histogram()
  }

  test('says nothing below a hundred rows', () => {
    expect(decidePsi(uniform(1_000), uniform(99, 3))).toMatchObject({ level: 'too-few', psi: null, rows: 99 })
    expect(rowsOf(uniform(99))).toBe(99)
  })

  test('needs significance and effect', () => {
    expect(decidePsi(uniform(1_000), uniform(1_000)).level).toBe('stable')
    expect(decidePsi(uniform(1_000), uniform(1_000, 2.2)).level).toBe('act')
    expect(decidePsi(uniform(1_000), uniform(1_000, 1.55)).level).toBe('watch')
    // The same effect in too small a sample is within chance.
    expect(decidePsi(uniform(100), uniform(100, 1.55)).level).toBe('stable')
    // Significant in a large sample, and too small to matter.
    const small = decidePsi(uniform(1_000_000), uniform(1_000_000, 1.05))
    expect(small.level).toBe('stable')
    expect(small.psi).toBeGreaterThan(small.limit as number)
  })

  test('counts only bins that somebody is in', () => {
    const stuck = histogramOf(
      Array.from({ length: 500 }, () => 0.6),
      edges,
    )
    expect(decidePsi(stuck, stuck)).toMatchObject({ level: 'stable', psi: 0, limit: 0 })
  })
})

test('χ² limits agree with scipy', () => {
  for (const [freedom, chance, limit] of vector.chiSquared)
    expectClose(chiSquaredLimit(freedom, chance), limit)
})
