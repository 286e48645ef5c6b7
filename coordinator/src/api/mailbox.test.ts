import { expect, test } from 'vitest'
import type { Change } from './control.ts'
import { createMailbox } from './mailbox.ts'
import { fixtureNow } from './testing/call.http.ts'
import { createControlFixture } from './testing/control-fixture.ts'

const control = createControlFixture({ now: fixtureNow })
const [first, second, third] = (await control.events({ fromSeq: 1, limit: 3 })).map((event): Change => ({
  kind: 'audit',
  event,
})) as [Change, Change, Change]
const agents = (await control.agents()).map((agent): Change => ({ kind: 'agent', agent }))
const forecasts: Change = { kind: 'forecasts', model: 'm' }

test('events keep their order and come before states', () => {
  const mailbox = createMailbox()
  for (const change of [first, forecasts, second]) mailbox.put(change)
  expect(mailbox.take()).toEqual([first, second, forecasts])
  expect(mailbox.take()).toEqual([])
})

test('of a state only the latest waits', () => {
  const mailbox = createMailbox({ statesMax: 3 })
  for (let round = 0; round < 100; round += 1) for (const change of agents) mailbox.put(change)
  expect(mailbox.take()).toEqual(agents)
  expect(mailbox.closed()).toBe(false)
})

test('too many waiting events close the mailbox and free what it held', () => {
  const mailbox = createMailbox({ eventsMax: 2 })
  expect([first, second, third].map((change) => mailbox.put(change))).toEqual([true, true, false])
  expect(mailbox.closed()).toBe(true)
  expect(mailbox.put(first)).toBe(false)
  expect(mailbox.take()).toEqual([])
})
