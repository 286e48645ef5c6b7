import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { createSupervisor } from './supervisor.timer.ts'

const options = { restartsMax: 2, withinMs: 60_000, delayMsMin: 1_000, delayMsMax: 4_000 }

const setUp = () => {
  const told: string[] = []
  const supervisor = createSupervisor(
    {
      monotonicMs: Date.now,
      onRestart: (part, afterMs) => told.push(`${part} in ${afterMs}`),
      onSpent: (part) => told.push(`${part} spent`),
    },
    options,
  )
  return { supervisor, told }
}

describe('a supervisor', () => {
  beforeEach(() => void vi.useFakeTimers())
  afterEach(() => void vi.useRealTimers())

  test('starts a failed part again after its pause, and not before', async () => {
    const { supervisor, told } = setUp()
    const restart = vi.fn(async () => undefined)
    supervisor.failed('feed', 'cause', restart)
    supervisor.failed('feed', 'the same again', restart)
    await vi.advanceTimersByTimeAsync(999)
    expect(restart).not.toHaveBeenCalled()
    await vi.advanceTimersByTimeAsync(1)
    expect(restart).toHaveBeenCalledTimes(1)
    expect(told).toEqual(['feed in 1000'])
    expect(supervisor.counts()).toEqual({ restarts: 1, waiting: [] })
  })

  test('counts a restart that fails as the next failure, until the budget is spent', async () => {
    const { supervisor, told } = setUp()
    supervisor.failed('feed', 'cause', () => Promise.reject(new Error('still broken')))
    await vi.advanceTimersByTimeAsync(10_000)
    expect(told).toEqual(['feed in 1000', 'feed in 2000', 'feed spent'])
  })

  test('keeps the budgets of its parts apart, and none for a part that is gone', async () => {
    const { supervisor, told } = setUp()
    const restart = async () => undefined
    for (const _ of [1, 2]) {
      supervisor.failed('a', 'cause', restart)
      await vi.advanceTimersByTimeAsync(10_000)
    }
    supervisor.failed('b', 'cause', restart)
    supervisor.forget('a')
    supervisor.failed('a', 'cause', restart)
    expect(told).toEqual(['a in 1000', 'a in 2000', 'b in 1000', 'a in 1000'])
  })

  test('starts nothing any more when it is stopped', async () => {
    const { supervisor } = setUp()
    const restart = vi.fn(async () => undefined)
    supervisor.failed('feed', 'cause', restart)
    supervisor.stop()
    supervisor.failed('other', 'cause', restart)
    await vi.advanceTimersByTimeAsync(60_000)
    expect(restart).not.toHaveBeenCalled()
  })
})
