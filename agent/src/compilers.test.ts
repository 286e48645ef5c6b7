import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { followLoad, keepCompilers } from './compilers.process.ts'

describe('compilers', () => {
  beforeEach(() => void vi.useFakeTimers())
  afterEach(() => void vi.useRealTimers())

  const create = () => {
    const told: (boolean | 'collected')[] = []
    const compilers = followLoad(
      { set: (on) => told.push(on), collect: async () => void told.push('collected') },
      { busyRequests: 3, lookEveryMs: 100, quietLooks: 2 },
    )
    const ask = (requests: number): void => {
      for (let i = 0; i < requests; i++) compilers.note()
      vi.advanceTimersByTime(100)
    }
    return { told, ask, stop: compilers.stop }
  }

  test('are off as long as little is asked', () => {
    const { told, ask } = create()
    for (let i = 0; i < 10; i++) ask(2)
    expect(told).toEqual([])
  })

  test('are on under load, stay on over a pause, and go with what they made when it is over', () => {
    const { told, ask } = create()
    ask(3)
    ask(0)
    ask(5)
    expect(told).toEqual([true])
    ask(0)
    ask(0)
    expect(told).toEqual([true, false, 'collected'])
  })

  test('a process that was born with them is left alone', () => {
    const { stop } = keepCompilers([], undefined)
    expect(vi.getTimerCount()).toBe(0)
    stop()
  })
})
