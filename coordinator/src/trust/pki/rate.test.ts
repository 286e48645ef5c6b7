import { expect, test } from 'vitest'
import { createRateLimit } from './rate.ts'

test('an address asks so often at once, then as fast as its bucket fills', () => {
  const mayAsk = createRateLimit({ burst: 2, perSecond: 1, keysMax: 10 })
  expect([mayAsk('a', 0), mayAsk('a', 0), mayAsk('a', 999)]).toEqual([true, true, false])
  expect([mayAsk('a', 1_000), mayAsk('a', 1_000)]).toEqual([true, false])
  expect([mayAsk('a', 60_000), mayAsk('a', 60_000), mayAsk('a', 60_000)]).toEqual([true, true, false])
})

test('one address does not use up what another may ask', () => {
  const mayAsk = createRateLimit({ burst: 1, perSecond: 0, keysMax: 10 })
  expect([mayAsk('a', 0), mayAsk('a', 0), mayAsk('b', 0)]).toEqual([true, false, true])
})

test('a clock that is set back fills nothing and takes nothing', () => {
  const mayAsk = createRateLimit({ burst: 2, perSecond: 1, keysMax: 10 })
  expect([mayAsk('a', 5_000), mayAsk('a', 0), mayAsk('a', 0)]).toEqual([true, true, false])
})

test('of too many addresses, the one that asked longest ago is forgotten', () => {
  const mayAsk = createRateLimit({ burst: 1, perSecond: 0, keysMax: 2 })
  for (const address of ['a', 'b', 'a', 'c']) mayAsk(address, 0)
  expect(mayAsk('a', 0)).toBe(false)
  expect(mayAsk('b', 0)).toBe(true)
})
