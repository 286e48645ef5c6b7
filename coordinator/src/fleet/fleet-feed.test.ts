import { expect, test } from 'vitest'
import type { ChannelName } from '@imlma/protocol/wire'
import type { BrokerMessage } from '../broker/client.ts'
import { feedFleet } from './fleet-feed.timer.ts'

test('passes on every channel of the fleet with our time, writes now and then, and once more at the end', async () => {
  const listeners = new Map<ChannelName, (message: BrokerMessage) => void>()
  const received: unknown[] = []
  const failures: unknown[] = []
  const { promise: twice, resolve } = Promise.withResolvers<void>()
  let flushes = 0
  const stop = await feedFleet(
    {
      client: {
        subscribe: async (channel, listener) => {
          listeners.set(channel, listener)
        },
      },
      fleet: {
        receive: (channel, message, now) => received.push([channel, message.agent, now]),
        flush: async () => {
          flushes += 1
          if (flushes === 1) throw new Error('the disk is full')
          resolve()
        },
      },
      now: () => 42,
      onFailure: (cause) => failures.push(cause),
    },
    { flushIntervalMs: 1 },
  )
  const message = { site: 'demo', agent: 'gw-1', payload: new Uint8Array(0), retained: false }
  for (const listener of listeners.values()) listener(message)
  expect(received).toEqual(
    ['presence', 'reported', 'report', 'alarm'].map((channel) => [channel, 'gw-1', 42]),
  )
  await twice
  expect(failures).toHaveLength(1)
  await stop()
  const before = flushes
  expect(before).toBeGreaterThanOrEqual(3)
})
