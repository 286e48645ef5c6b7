import { describe, expect, test } from 'vitest'
import { sourceConfigsSchema, type SourceConfig } from './config.ts'
import type { Source, SourceState } from './source.ts'
import { createSourceSet } from './source-set.ts'

const configsOf = (...meters: readonly (readonly [string, number])[]): readonly SourceConfig[] =>
  sourceConfigsSchema.parse(meters.map(([name, count]) => ({ kind: 'simulated', name, meters: count })))

const setUp = () => {
  const told: string[] = []
  let broken: string | undefined
  const set = createSourceSet({
    create: async (config) => {
      if (config.name === broken) throw new Error(`${config.name} is broken`)
      told.push(`make ${config.name}`)
      let state: SourceState = 'stopped'
      const source: Source = {
        name: config.name,
        series: [],
        state: () => state,
        start: () => {
          state = 'live'
          told.push(`start ${config.name}`)
        },
        stop: async () => {
          state = 'stopped'
          told.push(`stop ${config.name}`)
        },
      }
      return source
    },
  })
  const takeTold = (): readonly string[] => told.splice(0)
  return { set, takeTold, breakNew: (name: string | undefined) => void (broken = name) }
}

describe('sources of a configuration that changes', () => {
  test('what did not change goes on; what changed, came or went does no more than that', async () => {
    const { set, takeTold } = setUp()
    await set.apply(configsOf(['kept', 1], ['changed', 1], ['removed', 1]))
    set.start()
    const [kept] = set.list()
    takeTold()
    const changes = await set.apply(configsOf(['changed', 2], ['added', 1], ['kept', 1]))
    expect(changes).toEqual({ added: ['added'], changed: ['changed'], removed: ['removed'] })
    expect(takeTold()).toEqual([
      'make changed',
      'make added',
      'stop changed',
      'stop removed',
      'start changed',
      'start added',
    ])
    expect(set.list()).toContain(kept)
  })

  test('a mistake in a new source leaves the old ones running', async () => {
    const { set, takeTold, breakNew } = setUp()
    await set.apply(configsOf(['a', 1], ['b', 1]))
    set.start()
    takeTold()
    breakNew('c')
    await expect(set.apply(configsOf(['a', 2], ['c', 1]))).rejects.toThrow('c is broken')
    expect(takeTold()).toEqual(['make a'])
    expect(set.list().map((source) => [source.name, source.state()])).toEqual([
      ['a', 'live'],
      ['b', 'live'],
    ])
  })

  test('a source that failed is made anew, alone', async () => {
    const { set, takeTold } = setUp()
    await set.apply(configsOf(['a', 1], ['b', 1]))
    set.start()
    takeTold()
    await set.restart('b')
    await set.restart('gone')
    expect(takeTold()).toEqual(['make b', 'stop b', 'start b'])
  })

  test('changes come one after the other, and a stopped set starts nothing', async () => {
    const { set, takeTold } = setUp()
    set.start()
    const all = [set.apply(configsOf(['a', 1])), set.apply(configsOf(['b', 1])), set.stop()]
    await Promise.all(all)
    expect(takeTold()).toEqual(['make a', 'start a', 'make b', 'stop a', 'start b', 'stop b'])
    await set.apply(configsOf(['c', 1]))
    expect(takeTold()).toEqual(['make c', 'stop b'])
  })
})
