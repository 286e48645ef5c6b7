import { expect, test } from 'vitest'
import { noTrouble, stepTrouble, type StoreEvent } from './trouble.ts'

const stored = (bytes: number, dropped = 0): StoreEvent => ({ kind: 'stored', bytes, bytesMax: 100, dropped })
const failed = (code: string): StoreEvent => ({ kind: 'failed', code })

const alarmsOf = (events: readonly StoreEvent[]) => {
  let trouble = noTrouble(0)
  return events.map((event) => {
    const step = stepTrouble(trouble, event)
    trouble = step.trouble
    return step.alarm?.code ?? (step.healed === undefined ? '' : `healed ${step.healed}`)
  })
}

test('a full disk alarms once, heals, and alarms again when it is full again', () => {
  const full = failed('NO_SPACE')
  expect(alarmsOf([stored(1), full, full, stored(2), full])).toEqual([
    '',
    'NO_SPACE',
    '',
    'healed NO_SPACE',
    'NO_SPACE',
  ])
})

test('another failure is another alarm', () => {
  expect(alarmsOf([failed('NO_SPACE'), failed('STORE_FAILED'), failed('STORE_FAILED')])).toEqual([
    'NO_SPACE',
    'STORE_FAILED',
    '',
  ])
})

test('a quota that costs readings alarms once until there is room again', () => {
  expect(alarmsOf([stored(100, 0), stored(100, 5), stored(100, 9), stored(90, 9), stored(100, 12)])).toEqual([
    '',
    'QUOTA_REACHED',
    '',
    '',
    '',
  ])
  expect(alarmsOf([stored(100, 5), stored(80, 5), stored(100, 12)])).toEqual([
    'QUOTA_REACHED',
    '',
    'QUOTA_REACHED',
  ])
})
