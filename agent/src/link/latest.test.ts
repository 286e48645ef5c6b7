import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { createLatest } from './latest.timer.ts'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

/** A way to the broker that holds every publish until the test answers it, the oldest first. */
const createWay = () => {
  const sent: number[] = []
  const answers: ((hasGone: boolean) => void)[] = []
  const latest = createLatest({
    publish: (payload) => {
      sent.push(payload[0] ?? Number.NaN)
      return new Promise((resolve, reject) => {
        answers.push((hasGone) => (hasGone ? resolve() : reject(new Error('busy'))))
      })
    },
    delayMs: () => 500,
  })
  const answer = async (hasGone: boolean): Promise<void> => {
    answers.shift()?.(hasGone)
    await vi.advanceTimersByTimeAsync(0)
  }
  return { latest, sent, answer, set: (value: number) => latest.set(Uint8Array.of(value)) }
}

describe('the latest value', () => {
  test('waits for a connection, and of several the last one goes', async () => {
    const { latest, sent, set } = createWay()
    set(1)
    set(2)
    await vi.advanceTimersByTimeAsync(60_000)
    expect(sent).toEqual([])
    latest.resume()
    expect(sent).toEqual([2])
  })

  test('is tried again until it has gone, once per delay', async () => {
    const { latest, sent, answer, set } = createWay()
    latest.resume()
    set(1)
    await answer(false)
    await vi.advanceTimersByTimeAsync(499)
    expect(sent).toEqual([1])
    await vi.advanceTimersByTimeAsync(1)
    expect(sent).toEqual([1, 1])
    await answer(false)
    await vi.advanceTimersByTimeAsync(500)
    await answer(true)
    await vi.advanceTimersByTimeAsync(60_000)
    expect(sent).toEqual([1, 1, 1])
  })

  test('is the newest when it is tried again, and a newer one goes after the one on the way', async () => {
    const { latest, sent, answer, set } = createWay()
    latest.resume()
    set(1)
    set(2)
    set(3)
    expect(sent).toEqual([1])
    await answer(true)
    expect(sent).toEqual([1, 3])
    set(4)
    await answer(false)
    set(5)
    expect(sent).toEqual([1, 3, 5])
    await answer(true)
    await vi.advanceTimersByTimeAsync(60_000)
    expect(sent).toEqual([1, 3, 5])
  })

  test('leaves no timer behind when the connection ends, and goes again with the next', async () => {
    const { latest, sent, answer, set } = createWay()
    latest.resume()
    set(1)
    await answer(false)
    latest.pause()
    expect(vi.getTimerCount()).toBe(0)
    latest.resume()
    latest.pause()
    await answer(false)
    expect(vi.getTimerCount()).toBe(0)
    latest.resume()
    await answer(true)
    latest.pause()
    latest.resume()
    expect(sent).toEqual([1, 1, 1, 1])
  })
})
