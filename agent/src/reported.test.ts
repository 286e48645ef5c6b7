import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import type { Reported } from '@imlma/protocol/wire'
import { startReporting } from './reported.timer.ts'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

const create = () => {
  const state = { counter: 1, at: 0 }
  const said: number[] = []
  const reporting = startReporting(
    {
      link: {
        publishLatest: (_, payload) =>
          said.push(JSON.parse(new TextDecoder().decode(payload)).desiredCounter),
      },
      read: (): Reported => ({
        v: 1,
        bootId: 'boot',
        agentVersion: '0.1.0',
        at: (state.at += 1),
        desiredCounter: state.counter,
        rootVersion: 1,
        backlog: { batches: 0, bytes: 0, readings: 0, dropped: 0, oldestAt: null },
        models: {},
      }),
    },
    { quietMs: 100, lookEveryMs: 1_000 },
  )
  return { state, said, reporting }
}

test('a change is reported at once, and what follows closely is gathered', () => {
  const { state, said, reporting } = create()
  expect(said).toEqual([1])
  vi.advanceTimersByTime(150)
  for (const counter of [2, 3, 4]) {
    state.counter = counter
    reporting.changed()
  }
  expect(said).toEqual([1, 2])
  vi.advanceTimersByTime(100)
  expect(said).toEqual([1, 2, 4])
  reporting.stop()
})

test('what says nothing new is not sent, and what changes by itself is found', () => {
  const { state, said, reporting } = create()
  vi.advanceTimersByTime(500)
  reporting.changed()
  vi.advanceTimersByTime(400)
  expect(said).toEqual([1])
  state.counter = 2
  vi.advanceTimersByTime(1_000)
  expect(said).toEqual([1, 2])
  reporting.stop()
})
