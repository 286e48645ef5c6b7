import { beforeEach, describe, expect, test } from 'vitest'
import type { ChainedEvent, Trigger } from '../../registry/events.ts'
import { openDatabase } from '../../storage/database.sqlite.ts'
import { createStateStore } from '../../storage/states.kysely.ts'
import type { StateStore } from '../../storage/states.ts'
import { createRegistrations, registeredIn, type Registration } from './registrations.ts'

const registrationOf = (number: number, more: Partial<Registration> = {}): Registration => ({
  run: `run-${number}`,
  artifactSha256: String(number).padStart(64, 'a'),
  contractSha256: 'c'.repeat(64),
  note: '',
  by: 'operator',
  at: 1_000,
  ...more,
})

describe('registrations', () => {
  let states: StateStore
  let events: ChainedEvent[]
  beforeEach(() => {
    events = []
    states = createStateStore(openDatabase(':memory:'))
  })
  /** Another process on the same state. */
  const open = () => createRegistrations(states, { runEvents: async () => events })
  const runs = async (model = 'load') => (await open().waiting(model)).map(({ run }) => run)

  test('wait in the order in which they came, and are there after a restart', async () => {
    const registrations = open()
    await Promise.all([1, 2, 3].map((number) => registrations.add('load', registrationOf(number))))
    await registrations.add('heat', registrationOf(4))
    expect(await runs()).toEqual(['run-1', 'run-2', 'run-3'])
    expect(await runs('heat')).toEqual(['run-4'])
  })

  test('that are sent twice while they wait are one', async () => {
    const registrations = open()
    await registrations.add('load', registrationOf(1))
    const again = await open().add(
      'load',
      registrationOf(2, { artifactSha256: registrationOf(1).artifactSha256 }),
    )
    expect(again).toMatchObject({ ok: true, value: { run: 'run-1' } })
    expect(await runs()).toEqual(['run-1'])
    await registrations.add('load', registrationOf(1, { run: 'run-3', contractSha256: 'd'.repeat(64) }))
    expect(await runs()).toEqual(['run-1', 'run-3'])
  })

  test('are refused where too many wait, and none of those is lost', async () => {
    const registrations = open()
    for (let number = 1; number <= 8; number++) await registrations.add('load', registrationOf(number))
    expect(await registrations.add('load', registrationOf(9))).toMatchObject({
      refusal: { code: 'QUEUE_FULL' },
    })
    expect(await runs()).toHaveLength(8)
    expect((await registrations.add('heat', registrationOf(9))).ok).toBe(true)
  })

  test('begin under the name that they were promised, with everything the run needs to know', async () => {
    const registrations = open()
    expect(await registrations.next('load', 1_500)).toBeUndefined()
    await registrations.add('load', registrationOf(1, { note: 'a trial' }))
    const trigger = (await registrations.next('load', 1_500)) as Trigger
    expect(trigger).toMatchObject({ kind: 'manual', at: 1_500, evidence: { note: 'a trial', detectMs: 500 } })
    const { run, artifactSha256, contractSha256 } = registrationOf(1)
    expect(registeredIn(trigger)).toEqual({ run, artifactSha256, contractSha256 })
  })

  test('leave the queue when their run has started, however often that is told', async () => {
    const registrations = open()
    await registrations.add('load', registrationOf(1))
    await registrations.add('load', registrationOf(2))
    const trigger = (await registrations.next('load', 1_500)) as Trigger
    // A kill before it was taken out: the next start tells it once more.
    await open().started('load', trigger)
    await open().started('load', trigger)
    expect(await runs()).toEqual(['run-2'])
    await open().started('load', { kind: 'manual', at: 2_000, evidence: { reason: 'a person' } })
    expect(await runs()).toEqual(['run-2'])
  })

  test('have one turn, also where they could not be taken out of the queue when it came', async () => {
    const registrations = open()
    await registrations.add('load', registrationOf(1))
    const trigger = (await registrations.next('load', 1_500)) as Trigger
    const event = { kind: 'retraining-triggered' as const, model: 'load', run: 'run-1', trigger }
    events = [{ seq: 1, at: 0, event, previousHash: '', hash: '' }]
    expect(await open().next('load', 2_000)).toBeUndefined()
    await registrations.add('load', registrationOf(2))
    expect(await open().next('load', 2_000)).toMatchObject({ evidence: { run: 'run-2' } })
  })

  test('are nothing that other triggers speak of', () => {
    expect(registeredIn({ evidence: { reason: 'drift', run: 'run-1' } })).toBeUndefined()
  })
})
